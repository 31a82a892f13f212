#include "system/describe.h"

#include <sys/prctl.h>

#include <cerrno>

#include "system/call_words.h"
#include "system/system_calls.h"

namespace impasse::system {
namespace {

bool stopped(char state) {
  return state == 'T' || state == 't';
}

ActivityKind kind_of(const TaskLook& look) {
  if (look.call.form == CallForm::kGone) return ActivityKind::kGone;
  if (stopped(look.state)) return ActivityKind::kStopped;
  switch (look.call.form) {
    case CallForm::kCall:
      return ActivityKind::kInSystemCall;
    case CallForm::kOutside:
      return ActivityKind::kInKernel;
    case CallForm::kRunning:
      return ActivityKind::kRunning;
    default:
      return look.state == 'R' ? ActivityKind::kRunning : ActivityKind::kUnknown;
  }
}

std::string forbidden(const ProcFiles& process) {
  // The flag belongs to the memory, which our own thread shares.
  if (process.ourselves() && prctl(PR_GET_DUMPABLE) != 1) {
    return "the process gave up its privileges and cannot be looked at (not dumpable)";
  }
  return process.ourselves() ? "the system does not let us look at it"
                             : "it may not be looked at: another user's process, one that gave up "
                               "its privileges (not dumpable), or ptrace is restricted here";
}

std::string trouble_with(const ProcFiles& process, const CallLook& call) {
  if (call.form == CallForm::kForbidden) return forbidden(process);
  if (call.form != CallForm::kUnknown) return {};
  switch (call.error) {
    case 0:
      return "the kernel describes it in a way that is not known";
    case ENOENT:
      return "there is no /proc, or this kernel does not tell about system calls there";
    case EMFILE:
    case ENFILE:
      return "there was no descriptor left to look with";
    default:
      return "reading /proc failed with error " + std::to_string(call.error);
  }
}

}  // namespace

Activity describe(const ProcFiles& process, std::uint32_t tid, const TaskLook& look,
                  const Memory& memory, Descriptors& descriptors) {
  Activity activity;
  activity.kind = kind_of(look);
  activity.state = look.state;
  activity.uninterruptible = look.state == 'D';
  activity.kernel_function = look.kernel_function.data();
  activity.trouble = trouble_with(process, look.call);
  if (look.call.form != CallForm::kCall) return activity;
  activity.number = look.call.number;
  activity.call = system_call_name(look.call.number);
  activity.detail = call_words(system_call_words(look.call.number), look.call.arguments,
                               {process, tid, memory, descriptors});
  return activity;
}

}  // namespace impasse::system
