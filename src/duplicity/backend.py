"""Duplicity's backend for distdup, for Duplicity 0.8 and 3.x; standard library alone.

Duplicity hands over one finished volume at a time. The backend sends it through a named pipe to a
resident distdup process, which cuts it into stripes and writes their shares to the hosts; a get comes
back the same way. Beside the pipe runs a control channel, JSON lines on the resident's standard input
and output, because the end of a pipe proves nothing: a writer killed midway looks the same. What is
said on it stands in distdup's src/duplicity/protocol.rs.

From the environment, in a Duplicity that distdup started:
DISTDUP_RESIDENT  the resident's command line, a JSON array of strings
DISTDUP_RUNTIME   a private folder in memory, where the pipes are made

Installed into a Duplicity that is started by itself, it knows the program, and makes such a folder for
each pipe; the hosts are those of the profile that the URL names, distdup://PROFILE.
"""

import atexit
import contextlib
import errno
import fcntl
import functools
import itertools
import json
import os
import re
import select
import subprocess
import tempfile
import time
import urllib.parse

import duplicity.backend
from duplicity import config
from duplicity import log
from duplicity import progress
from duplicity.errors import BackendException
from duplicity.errors import FatalBackendException

# Where the program is; an installed copy has its path here.
PROGRAM = None

SESSION = "DISTDUP_SESSION"
PROTOCOL = 1
CHUNK = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl has a name for it only since Python 3.10

# Seconds that the resident may leave the other end of a pipe unopened, that it may take to say why it
# closed its end of a pipe, and to end. Whatever else it does takes as long as the hosts do.
OPEN_TIMEOUT = 60
ABORT_TIMEOUT = 60
END_TIMEOUT = 10

# Kinds of error in the resident's answers, and what Duplicity calls them. It tries again after any
# but `not_found`, and but for a FatalBackendException.
CODES = {
    "not_found": "backend_not_found",
    "permission": "backend_permission_denied",
    "no_space": "backend_no_space",
}


def code(kind):
    """Duplicity's number for a kind of error; 0.8 and 3.x agree, and later ones may have more."""
    return getattr(log.ErrorCode, CODES.get(kind, "backend_error"), log.ErrorCode.backend_error)


class ResidentLost(BackendException):
    """The resident is gone, or what it says makes no sense. The next try starts another."""


def refusal(answer):
    """The exception for an answer that says no."""
    kind = answer.get("kind")
    text = "distdup: %s" % answer.get("error", "no reason was given")
    # Damage beyond repair stays, however often it is tried.
    return (FatalBackendException if kind == "damaged" else BackendException)(text, code(kind))


class Resident(object):
    """A running resident process: requests go in, answers come out, one at a time."""

    def __init__(self, argv):
        try:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as e:
            raise ResidentLost("distdup: %s cannot be started: %s" % (argv[0], e))
        self.numbers = itertools.count(1)
        self.received = bytearray()
        self.owed = 0  # the request whose answer is still to come; it greets unasked, as number 0
        try:
            hello = self.answer()
            if hello.get("protocol") != PROTOCOL:
                raise FatalBackendException(
                    "distdup: the resident speaks protocol %r, this backend %r"
                    % (hello.get("protocol"), PROTOCOL)
                )
        except BaseException:
            self.close()
            raise

    def alive(self):
        return self.process.poll() is None

    def fileno(self):
        """Where its answers come from, to poll for."""
        return self.process.stdout.fileno()

    def request(self, op, **fields):
        self.owed = next(self.numbers)
        self.say(op, **fields)

    def say(self, op, **fields):
        """Sends a request, or what belongs to the one that is not answered yet."""
        line = json.dumps(dict(fields, op=op, id=self.owed)).encode("ascii") + b"\n"
        try:
            while line:
                line = line[self.process.stdin.write(line):]
        except OSError as e:
            raise self.lost("takes no request: %s" % e)

    def answer(self, timeout=None):
        """Waits for the answer, `timeout` seconds at most; raises what it says if it says no."""
        deadline = None if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self, select.POLLIN)
        while b"\n" not in self.received:
            left = None if deadline is None else max(0, deadline - time.monotonic()) * 1000
            if not poll.poll(left):
                raise self.lost("gave no answer within %s s" % timeout)
            piece = self.process.stdout.read(CHUNK)
            if not piece:
                raise self.lost("ended without an answer")
            self.received += piece
        line, _, rest = bytes(self.received).partition(b"\n")
        self.received = bytearray(rest)
        try:
            answer = json.loads(line.decode("utf-8"))
            number, ok = answer["id"], answer["ok"]
        except (ValueError, KeyError, TypeError) as e:
            raise self.lost("answered %r: %s" % (line[:200], e))
        if number != self.owed:
            raise self.lost("answered request %r, not %r" % (number, self.owed))
        self.owed = None
        if not ok:
            raise refusal(answer)
        return answer

    def lost(self, why):
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Its status comes a moment after the end of its output.
            why = "%s; it ended with status %d" % (why, self.process.wait(0.5))
        return ResidentLost("distdup: the resident process %s" % why)

    def close(self):
        """Ends it: it stops when its control channel does, or is stopped."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def open_for_writing(fifo, resident):
    """Opens a pipe once the resident has opened its end. A dead one must not block us for ever."""
    poll = select.poll()
    poll.register(resident, select.POLLIN)
    deadline = time.monotonic() + OPEN_TIMEOUT
    while True:
        try:
            return os.open(fifo.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
        if poll.poll(1):
            resident.answer()
            raise resident.lost("took a volume that it was not sent")
        if time.monotonic() > deadline:
            raise resident.lost("did not open its end of the pipe in %d s" % OPEN_TIMEOUT)


def send(source, fifo, resident, size):
    """Writes the whole file into the pipe; returns how many bytes that were."""
    pipe = open_for_writing(fifo, resident)
    fifo.remove()
    try:
        with contextlib.suppress(OSError):  # it works with a smaller one, too
            fcntl.fcntl(pipe, F_SETPIPE_SZ, CHUNK)
        poll = select.poll()
        poll.register(resident, select.POLLIN)
        poll.register(pipe, select.POLLOUT)
        chunk = memoryview(bytearray(CHUNK))
        sent = 0
        while True:
            rest = chunk[:source.readinto(chunk)]
            if not rest:
                return sent
            while rest:
                if any(fd == resident.fileno() for fd, _ in poll.poll()):
                    resident.answer()
                    raise resident.lost("took a volume before it had all of it")
                with contextlib.suppress(BlockingIOError):
                    written = os.write(pipe, rest)
                    rest = rest[written:]
                    sent += written
            progress.report_transfer(sent, size)
    except BrokenPipeError:
        resident.say("abort")
        resident.answer(ABORT_TIMEOUT)  # it knows why it reads no more
        raise resident.lost("took a volume of which it read only a part")
    finally:
        os.close(pipe)


def receive(pipe, fifo, local, resident):
    """Reads all that the resident writes into the pipe; returns its answer and the bytes' number."""
    poll = select.poll()
    poll.register(resident, select.POLLIN)
    poll.register(pipe, select.POLLIN)
    answer, received = None, 0
    while answer is None:
        ready = [fd for fd, _ in poll.poll()]
        if pipe in ready:
            piece = os.read(pipe, CHUNK)
            if piece:
                if not received:
                    fifo.remove()
                local.write(piece)
                received += len(piece)
                continue
            poll.unregister(pipe)  # nothing comes any more but the answer
        if resident.fileno() in ready:
            answer = resident.answer()
    # It closes the pipe before it answers: what is to come is in the pipe by now.
    with contextlib.suppress(BlockingIOError):
        for piece in iter(lambda: os.read(pipe, CHUNK), b""):
            local.write(piece)
            received += len(piece)
    return answer, received


def archive_knows_of_backups():
    """Whether some backup was whole once, by Duplicity's own archive: what is not whole is .part."""
    try:
        names = os.listdir(os.fsencode(config.archive_dir_path.name))
    except (AttributeError, OSError):
        return False  # no archive, or none yet
    return any(b".manifest" in name and not name.endswith(b".part") for name in names)


def by_numbers(name):
    """Sorts vol2 before vol10."""
    return [(int(part), b"") if part.isdigit() else (0, part) for part in re.split(rb"(\d+)", name)]


def hexed(name):
    return os.fsencode(name).hex()


def profile_of(url):
    """The profile that distdup://PROFILE names."""
    name = url.url_string.partition("://")[2].rstrip("/")
    if not name or "/" in name:
        raise FatalBackendException(
            "distdup: %s names no profile of distdup.toml, as distdup://home does" % url.url_string
        )
    return urllib.parse.unquote(name)


class Fifo(object):
    """A fresh named pipe. Its name goes once both ends are open, or at the end of a `with`.

    It is in `folder`, or, without one, in a folder of its own: in memory if there is such a place, and
    named so that distdup removes what a killed process left, but locked as long as this one lives: whoever
    shares the place may not see our process.
    """

    numbers = itertools.count()

    def __init__(self, folder):
        self.folder = self.lock = None
        if folder is None:
            parents = [os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm", tempfile.gettempdir()]
            parent = next(each for each in parents if each and os.access(each, os.W_OK))
            folder = self.make_folder(os.fsencode(parent))
        self.path = os.path.join(folder, b"pipe-%d-%d" % (os.getpid(), next(self.numbers)))
        try:
            os.mkfifo(self.path, 0o600)
        except BaseException:
            self.remove()
            raise

    def make_folder(self, parent):
        """As src/duplicity/private.rs does: by another name until it is locked."""
        name = b"distdup-%d-%s" % (os.getpid(), os.urandom(8).hex().encode("ascii"))
        self.folder = os.path.join(parent, b"." + name)
        os.mkdir(self.folder, 0o700)
        try:
            self.lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with contextlib.suppress(OSError):  # where nobody can lock it, nobody removes it
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(self.folder, os.path.join(parent, name))
        except BaseException:
            self.remove_folder()
            raise
        self.folder = os.path.join(parent, name)
        return self.folder

    def remove_folder(self):
        if self.folder is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)
        if self.lock is not None:
            os.close(self.lock)
        self.folder = self.lock = None

    def remove(self):
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        self.remove_folder()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def operation(method):
    """Makes every failure of ours a BackendException, and a resident that owes an answer is ended.

    Duplicity takes the errno of other exceptions for the remote side's: a resident that cannot be
    started (ENOENT) would be a remote file that is not there.
    """

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except OSError as e:
            kind = "no_space" if e.errno in (errno.ENOSPC, errno.EDQUOT) else None
            raise BackendException("distdup: %s: %s" % (method.__name__[1:], e), code(kind))
        finally:
            if self.resident is not None and self.resident.owed is not None:
                self._close()

    return wrapped


class DistdupBackend(duplicity.backend.Backend):
    """Keeps Duplicity's files as objects in a distdup store: n shares on n hosts."""

    def __init__(self, parsed_url):
        duplicity.backend.Backend.__init__(self, parsed_url)
        try:
            self.argv = json.loads(os.environ["DISTDUP_RESIDENT"])
            self.runtime = os.fsencode(os.environ["DISTDUP_RUNTIME"])
        except (KeyError, ValueError) as e:
            if PROGRAM is None:
                raise FatalBackendException(
                    "distdup:// works in a Duplicity that distdup started; "
                    "the environment lacks what it sets (%s)" % e
                )
            self.argv = [PROGRAM, "resident", "--profile", profile_of(parsed_url)]
            if config.dry_run:
                self.argv.append("--dry-run")
            self.runtime = None
        # The processes of one Duplicity share a lock on the hosts by it.
        os.environ.setdefault(SESSION, str(int.from_bytes(os.urandom(8), "big")))
        self.resident = None
        self.warned = set()
        atexit.register(self._close)

    # Of source_path and local_path we use the name alone: bytes, in both generations.

    @operation
    def _put(self, source_path, remote_filename):
        with open(source_path.name, "rb", buffering=0) as source, Fifo(self.runtime) as fifo:
            size = os.fstat(source.fileno()).st_size
            progress.report_transfer(0, size)
            resident = self.started()
            resident.request("put", name=hexed(remote_filename), size=size, fifo=hexed(fifo.path))
            sent = send(source, fifo, resident, size)
            resident.say("commit", size=sent)
            answer = resident.answer()
        self.warn_if_degraded(remote_filename, answer)

    @operation
    def _get(self, remote_filename, local_path):
        try:
            with open(local_path.name, "wb") as local, Fifo(self.runtime) as fifo:
                # Opened before it is asked for, so that the writer finds its reader.
                pipe = os.open(fifo.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    resident = self.started()
                    resident.request("get", name=hexed(remote_filename), fifo=hexed(fifo.path))
                    answer, received = receive(pipe, fifo, local, resident)
                finally:
                    os.close(pipe)
            if received != answer["size"]:
                raise BackendException(
                    "distdup: of %r came %d bytes, not %r"
                    % (remote_filename, received, answer["size"])
                )
        except BaseException:
            # Part of a file must not be taken for the file.
            with contextlib.suppress(OSError):
                os.unlink(local_path.name)
            raise

    @operation
    def _list(self):
        # An error or all of it: both generations delete data on a short list. Names that cannot be
        # read at the moment are in it, too.
        names = [bytes.fromhex(found["name"]) for found in self.ask("list")["objects"]]
        # 0.8's replicate writes volumes into its manifest in this order, and a restore from that
        # silently leaves out what is not in the order of their numbers.
        names.sort(key=by_numbers)
        if not names and archive_knows_of_backups():
            raise FatalBackendException(
                "distdup: the hosts hold nothing at all, and Duplicity's archive in %s knows of "
                "backups on them. Are they mounted, and are they the right ones? To begin anew, "
                "remove that folder." % os.fsdecode(config.archive_dir_path.name)
            )
        return names

    @operation
    def _delete(self, filename):
        self.ask("delete", name=hexed(filename))

    @operation
    def _query(self, filename):
        return {"size": self.ask("query", name=hexed(filename))["size"]}

    def _validate(self, remote_filename, size, source_path=None):
        """3.x calls it after each put, and does not try it again: any failure ends the backup. Its
        own check, without this one, takes a query that failed for an agreement."""
        for attempt in range(1, config.num_retries + 1):
            try:
                found = self._query(remote_filename)["size"]
            except BackendException as e:
                if attempt == config.num_retries:
                    raise
                log.Warn("%s (attempt %d)" % (e, attempt))
                time.sleep(config.backend_retry_delay)
            else:
                break
        return found == size, "distdup: the hosts hold %d bytes of it, of %d" % (found, size)

    def _close(self):
        resident, self.resident = self.resident, None
        if resident is not None:
            resident.close()

    def started(self):
        """The resident; another one if it died."""
        if self.resident is not None and not self.resident.alive():
            self._close()
        if self.resident is None:
            self.resident = Resident(self.argv)
        return self.resident

    def ask(self, op, **fields):
        resident = self.started()
        resident.request(op, **fields)
        return resident.answer()

    def warn_if_degraded(self, name, answer):
        """Says which hosts did not take it; each host and cause once, not for every volume."""
        for lost in answer.get("degraded", []):
            cause = (lost["host"], lost["error"])
            text = "distdup: %s lacks %s: %s" % (lost["host"], os.fsdecode(name), lost["error"])
            (log.Info if cause in self.warned else log.Warn)(text)
            self.warned.add(cause)


duplicity.backend.register_backend("distdup", DistdupBackend)
