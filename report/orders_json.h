// The orders of a lock_order finding, as a part of the finding's JSON form.
#pragma once

#include "report/json_sheet.h"

namespace impasse::report {

void write_orders(JsonSheet& sheet, const Finding& finding);

}  // namespace impasse::report
