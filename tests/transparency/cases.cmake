# The drivers and their cases.

# The runner itself: it must notice whatever a preloaded object may spoil.
transparency_object(sabotage sabotage.cc)
transparency_driver(outcomes
  outcomes/c11.cc outcomes/cond.cc outcomes/main.cc outcomes/mutex.cc outcomes/mutex_kinds.cc
  outcomes/mutex_wrong.cc outcomes/processes.cc outcomes/rwlock.cc outcomes/spin.cc
  outcomes/threads.cc)
add_test(NAME transparency.runner-notices
         COMMAND ${IMPASSE_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/run_both_test.py
                 $<TARGET_FILE:transparency_sabotage> $<TARGET_FILE:transparency_outcomes>)
set_tests_properties(transparency.runner-notices PROPERTIES LABELS transparency TIMEOUT 120)

transparency_cases(outcomes CASES
  mutex-plain mutex-shared mutex-robust mutex-robust-shared mutex-inherit mutex-inherit-robust
  mutex-protect mutex-protect-in-real-time mutex-handed-over mutex-depth-limit
  mutex-attributes-refused rwlock-against-another rwlock-handed-over
  cond-timeouts cond-wakeups spin threads-created threads-joined
  threads-named c11-mutexes c11-conditions c11-threads other-process-holds other-process-dies)
transparency_cases(outcomes FINDINGS CASES
  mutex-unlocked-by-another mutex-unlocked-while-free mutex-destroyed-while-held mutex-owner-died
  mutex-owner-died-while-waited-for rwlock-alone rwlock-behind-a-writer rwlock-wrongly-unlocked cond-owner-died)

set(cancellation_sources
  cancellation/main.cc cancellation/points.cc cancellation/rules.cc cancellation/scene.cc)
set(cancellation_cases
  in-cond-wait in-cond-timedwait in-cond-clockwait in-cnd-wait in-cnd-timedwait
  in-std-condition-variable in-join in-timedjoin in-clockjoin in-read pending-before-wait disabled
  asynchronous in-mutex-lock in-rwlock-wrlock in-mtx-lock nested-handlers caught-and-rethrown
  crowd)
set(exceptions_cases
  through-callees out-of-held-locks through-pthread-once through-call-once
  through-static-initializer from-thread-to-thread out-of-a-predicate many-at-once
  exit-from-a-handler exit-through-catch-all own-terminate-handler)
set(exceptions_aborting_cases
  uncaught-in-pthread uncaught-in-std-thread uncaught-of-no-class uncaught-behind-noexcept
  destroyed-while-joinable)

# The same with the C++ library inside the program: then its exceptions are not ours to meet.
foreach(suffix "" _own_libstdcxx)
  transparency_driver(cancellation${suffix} ${cancellation_sources})
  transparency_cases(cancellation${suffix} CASES ${cancellation_cases})
  transparency_cases(cancellation${suffix} FINDINGS CASES
    recursive-mutex robust-mutex-without-handler)
  transparency_cases(cancellation${suffix} EXPECT "signal SIGABRT" CASES caught-and-kept)
  transparency_driver(exceptions${suffix} exceptions.cc)
  transparency_cases(exceptions${suffix} CASES ${exceptions_cases})
  transparency_cases(exceptions${suffix} EXPECT "signal SIGABRT" CASES ${exceptions_aborting_cases})
endforeach()
target_link_options(transparency_cancellation_own_libstdcxx PRIVATE -static-libstdc++)
target_link_options(transparency_exceptions_own_libstdcxx PRIVATE -static-libstdc++)

# And with the unwinder inside, too: most cancellations abort such a program on bare glibc already.
transparency_driver(cancellation_own_runtime ${cancellation_sources})
transparency_driver(exceptions_own_runtime exceptions.cc)
foreach(driver cancellation exceptions)
  target_link_options(transparency_${driver}_own_runtime PRIVATE -static-libstdc++ -static-libgcc)
endforeach()
transparency_cases(cancellation_own_runtime EXPECT "signal SIGABRT" CASES in-cond-wait in-join)
transparency_cases(exceptions_own_runtime CASES
  through-callees out-of-held-locks from-thread-to-thread many-at-once exit-from-a-handler)

transparency_driver(forking forking.cc)
transparency_cases(forking CASES
  threads-in-child child-keeps-locks others-hold-locks fork-handlers fork-handlers-in-traffic
  fork-without-handlers out-of-a-thread storm)

transparency_driver(spawning spawning.cc)
transparency_cases(spawning CASES
  vfork-and-exec spawn-system-popen daemon-like clone-in-same-memory exec-of-itself after-exec)

transparency_driver(endings endings.cc)
transparency_cases(endings CASES
  main-leaves-first main-leaves-alone main-leaves-last main-leaves-and-a-thread-exits
  handlers-lock-and-make-threads handlers-lock-after-main returns-among-busy-threads
  exit-while-others-block quickly at-once key-destructors thread-local-destructors
  thread-local-destructors-without-main credentials)
transparency_cases(endings FINDINGS CASES threads-leave-locks-behind returns-despite-a-deadlock)
transparency_cases(endings EXPECT "signal SIGTERM" CASES by-sigterm)
transparency_cases(endings EXPECT "signal SIGINT" CASES by-sigint)
transparency_cases(endings EXPECT "signal SIGUSR1" CASES by-sigusr1)
transparency_cases(endings EXPECT "signal SIGRTMAX" CASES by-real-time-signal)
transparency_cases(endings EXPECT "signal SIGABRT" CASES by-abort)
transparency_cases(endings EXPECT "signal SIGSEGV" CASES by-segmentation-fault)

transparency_driver(loading loading.cc)
transparency_cases(loading CASES before-main after-main)

transparency_object(locks plugins/locks.cc)
transparency_object(threads plugins/threads.cc)
transparency_driver(dynamic dynamic.cc)
add_dependencies(transparency_dynamic transparency_locks transparency_threads)
transparency_cases(dynamic CASES
  load-and-unload threads-in-constructors loaded-by-many loaded-while-holding
  passed-between-threads looked-up looked-up-in-vain)
transparency_cases(dynamic FINDINGS CASES unloaded-while-held)

transparency_driver(versions versions.cc)
transparency_cases(versions CASES
  mutexes spin-locks conditions-of-old conditions-of-today threads-of-old c11-of-old)
# A write lock that is asked for again is told of, whatever its version.
transparency_cases(versions FINDINGS CASES rwlocks)

# Once in the program, where no preload can come before it; once in an object behind the preload.
transparency_object(own_malloc_arena own_malloc/arena.cc)
transparency_driver(own_malloc own_malloc/driver.cc own_malloc/arena.cc)
transparency_driver(own_malloc_shared own_malloc/driver.cc)
target_link_libraries(transparency_own_malloc_shared PRIVATE transparency_own_malloc_arena)
foreach(driver own_malloc own_malloc_shared)
  transparency_cases(${driver} CASES
    churn containers-under-locks locks-in-blocks threads-come-and-go forked-in-traffic)
endforeach()

transparency_driver(signals signals.cc)
transparency_cases(signals CASES
  trylock recursive handlers-in-handlers deep-nesting jump-out-between-calls on-alternate-stack
  out-of-a-fault-while-holding while-blocked timer-threads)
transparency_cases(signals FINDINGS CASES jump-out-of-calls)

transparency_driver(scale scale.cc)
transparency_cases(scale CASES
  threads-one-after-another threads-detached threads-at-once million-mutexes
  million-mutexes-nested held-first-in-first-out held-last-in-first-out held-at-random nested-200
  recursive-100000 readers-deep-and-many)

transparency_driver(mixes mixes.cc)
transparency_cases(mixes CASES ordered queue backing-off hand-over-hand)

# A lock that another thread gives back is a wrong use, whoever carried it there.
transparency_driver(fibres fibres.cc)
transparency_cases(fibres CASES contend)
transparency_cases(fibres FINDINGS CASES
  carry-mutexes carry-nested carry-read-locks unique-lock-moved mutex-as-signal)

transparency_driver(cpp cpp.cc)
transparency_cases(cpp CASES
  counting timing-out recursion read-and-write locked-together conditions conditions-of-any
  at-thread-exit futures latches-barriers-semaphores once-only)
transparency_cases(cpp FINDINGS CASES errors)

transparency_driver(lifetimes lifetimes.cc)
transparency_cases(lifetimes CASES
  on-stacks in-heap-blocks in-the-same-place copied-and-moved mutex-unmapped-after-unlock
  spin-unmapped-after-unlock mapped-twice made-again)
transparency_cases(lifetimes FINDINGS CASES remapped)

transparency_driver(surroundings surroundings.cc)
transparency_cases(surroundings CASES
  descriptors next-descriptor signals alone process threads-attributes smallest-stacks little-address-space
  no-descriptors no-file-may-grow all-descriptors-closed standard-descriptors-closed heap)

transparency_driver(waking waking.cc)
transparency_cases(waking CASES
  semaphore-alone semaphore-wakes semaphore-interrupted semaphore-posted-by-a-handler
  semaphore-cancelled semaphore-unmapped-at-once semaphore-traffic semaphore-of-two-processes)

transparency_driver(meeting meeting.cc)
transparency_cases(meeting CASES
  barrier-rounds barrier-is-no-cancellation-point once-nested once-waited-for once-passed-on
  once-across-a-fork once-makes-threads)

# As it is written, and as distributions build: other functions of libc.
foreach(suffix "" _fortified)
  transparency_driver(calls${suffix} calls/main.cc calls/data.cc calls/waits.cc)
  transparency_cases(calls${suffix} CASES
    pipes files sockets polling sleeping children in-children names interrupted in-handlers cancelled)
endforeach()
target_compile_options(transparency_calls_fortified PRIVATE
  -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_FILE_OFFSET_BITS=64)

transparency_all_registered(
  outcomes cancellation cancellation_own_libstdcxx exceptions exceptions_own_libstdcxx forking
  spawning endings loading dynamic versions own_malloc own_malloc_shared signals scale mixes fibres cpp
  lifetimes surroundings waking meeting calls calls_fortified)
