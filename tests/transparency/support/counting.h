// A little work for several threads at once, to show that threads and locks work here.
#pragma once

namespace transparency {

// How often `threads` threads took one mutex together: a thousand times each.
int count_with_threads(int threads);

}  // namespace transparency
