"""Makes a host slow: whoever asks it for its stamp waits so many seconds, as on a network file system
whose server hands a file out only when another client has given it back.

    slow_host.py HOST SECONDS

By a lease on the file, which the system has broken by us before anyone else opens it. Says "slow" each time
that it waits for that. Of real hosts the slowness is all that it imitates: what they store is real.
"""

import fcntl
import os
import signal
import sys
import time

stamp = os.open(os.path.join(sys.argv[1], "distdup-host"), os.O_RDONLY)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
while True:
    try:
        fcntl.fcntl(stamp, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:  # somebody has it open
        time.sleep(0.001)
        continue
    print("slow", flush=True)
    signal.sigwait([signal.SIGIO])
    time.sleep(float(sys.argv[2]))
    fcntl.fcntl(stamp, fcntl.F_SETLEASE, fcntl.F_UNLCK)
