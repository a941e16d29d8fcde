"""The Python side against a fake resident: both ways, and every way that the other end can fail.

Run by an interpreter that has Duplicity: python3 -m unittest discover tests/python
"""

import fcntl
import json
import os
import random
import sys
import tempfile
import unittest
from unittest import mock

TESTS = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(TESTS, "..", "..", "src", "duplicity")
sys.dont_write_bytecode = True
sys.path.insert(0, SOURCE)

import backend  # noqa: E402
import duplicity.backend as dup_backend  # noqa: E402
from duplicity import config, log, path  # noqa: E402
from duplicity.errors import BackendException, FatalBackendException  # noqa: E402

log.setup()
log.setverbosity(0)
NAME = b"duplicity-full.20260101T000000Z.vol1.difftar.gz"
BIG = random.Random(1).randbytes(5000001)


class Backend(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        self.store = self.folder("store")
        os.environ["DISTDUP_RUNTIME"] = self.folder("runtime")

    def folder(self, name):
        made = os.path.join(self.home.name, name)
        os.mkdir(made)
        return made

    def backend(self, fault="none"):
        argv = [sys.executable, os.path.join(TESTS, "fake_resident.py"), self.store, fault]
        os.environ["DISTDUP_RESIDENT"] = json.dumps(argv)
        made = dup_backend.get_backend_object("distdup:///somewhere/backup_test")
        self.assertIsInstance(made, backend.DistdupBackend)
        self.addCleanup(made._close)
        return made

    def file(self, data, name="volume"):
        where = os.path.join(self.home.name, name)
        with open(where, "wb") as file:
            file.write(data)
        return path.Path(os.fsencode(where))

    def target(self):
        return path.Path(os.fsencode(os.path.join(self.home.name, "target")))

    def kept(self, name=NAME):
        with open(os.path.join(self.store, name.hex()), "rb") as file:
            return file.read()

    def assert_raises_code(self, code, call, *args):
        with self.assertRaises(BackendException) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return str(caught.exception)

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(os.environ["DISTDUP_RUNTIME"]), [])

    def test_what_is_put_comes_back(self):
        store = self.backend()
        for data in (b"", b"x", BIG[: 1 << 20], BIG[: (1 << 20) + 1], BIG):
            with self.subTest(length=len(data)):
                store._put(self.file(data), NAME)
                self.assertEqual(self.kept(), data)
                self.assertEqual(store._query(NAME), {"size": len(data)})
                self.assertEqual(store._validate(NAME, len(data), source_path=None)[0], True)
                store._get(NAME, self.target())
                with open(self.target().name, "rb") as got:
                    self.assertEqual(got.read(), data)
        self.assertEqual(store._list(), [NAME])
        store._delete(NAME)
        store._delete(NAME)
        self.assertEqual(store._list(), [])
        self.assert_nothing_left()

    def test_pipes_of_its_own_are_gone_while_they_are_used(self):
        store, place = self.backend(), self.folder("place")
        store.runtime = None
        os.environ["XDG_RUNTIME_DIR"] = place
        self.addCleanup(os.environ.pop, "XDG_RUNTIME_DIR")
        made, left = [], []
        mkfifo, report = backend.os.mkfifo, backend.progress.report_transfer

        def make(fifo, mode):
            folder = os.path.dirname(fifo)
            made.append(folder)
            other = os.open(folder, os.O_RDONLY)
            try:
                with self.assertRaises(BlockingIOError):  # or others would take it for a leftover
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(other)
            mkfifo(fifo, mode)

        backend.os.mkfifo = make
        backend.progress.report_transfer = lambda sent, _: sent and left.extend(os.listdir(place))
        try:
            store._put(self.file(BIG), NAME)
            store._get(NAME, self.target())
        finally:
            backend.os.mkfifo, backend.progress.report_transfer = mkfifo, report
        self.assertEqual(len(made), 2)
        for folder in made:  # as src/duplicity/private.rs looks for what killed processes left
            self.assertRegex(os.fsdecode(folder), "^%s/distdup-%d-[0-9a-f]{16}$" % (place, os.getpid()))
        self.assertEqual(left + os.listdir(place), [])
        with open(self.target().name, "rb") as got:
            self.assertEqual(got.read(), BIG)

    def test_what_is_not_made_leaves_nothing(self):
        store, place = self.backend(), self.folder("place")
        store.runtime = None
        os.environ["XDG_RUNTIME_DIR"] = place
        self.addCleanup(os.environ.pop, "XDG_RUNTIME_DIR")
        opened = len(os.listdir("/proc/self/fd"))

        def fail(*_):
            raise OSError(28, "No space left on device")

        for call in ("mkfifo", "rename"):
            with self.subTest(call=call), mock.patch.object(backend.os, call, fail):
                self.assert_raises_code(53, store._put, self.file(b"x"), NAME)
            self.assertEqual(os.listdir(place), [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened)

    def test_names_are_bytes(self):
        store = self.backend()
        names = [b"caf\xe9", "café".encode(), b"a\nb", b'"\\\x7f']
        for name in names:
            store._put(self.file(name), name)
        self.assertEqual(sorted(store._list()), sorted(names))
        self.assertTrue(all(store._query(name)["size"] == len(name) for name in names))

    def test_one_resident_serves_all(self):
        store = self.backend()
        store._put(self.file(b"1"), NAME)
        first = store.resident
        store._list()
        with self.assertRaises(BackendException):
            store._get(b"absent", self.target())
        self.assertIs(store.resident, first)
        process = first.process
        store._close()
        self.assertEqual(process.returncode, 0)

    def test_absent_is_told(self):
        store = self.backend()
        self.assertEqual(store._query(NAME), {"size": -1})
        self.assert_raises_code(52, store._get, NAME, self.target())
        self.assertFalse(os.path.exists(self.target().name))

    def test_a_failed_put_keeps_the_old_and_the_next_one_works(self):
        codes = {
            "refuse-before-opening": 53,
            "die-before-opening": 50,
            "die-midway": 50,
            "refuse-midway": 51,
            "accept-midway": 50,
            "die-after-commit": 50,
            "lose-bytes": 50,
            "die-at-once": 50,
            "cannot-start": 50,
        }
        self.backend()._put(self.file(b"old"), NAME)
        for fault, code in codes.items():
            with self.subTest(fault=fault):
                with open(os.path.join(self.store, NAME.hex()), "wb") as file:
                    file.write(b"old")
                store = self.backend(fault)
                self.assert_raises_code(code, store._put, self.file(BIG), NAME)
                self.assertEqual(self.kept(), b"old")
                self.assert_nothing_left()
                store._put(self.file(BIG), NAME)
                self.assertEqual(self.kept(), BIG)
                os.unlink(os.path.join(self.store, ".faulted"))

    def test_a_resident_that_never_opens_does_not_block(self):
        argv = [sys.executable, "-c",
                "print('{\"id\":0,\"ok\":true,\"protocol\":1}', flush=True); import sys; sys.stdin.read()"]
        store = self.backend()
        store.argv = argv
        patience, backend.OPEN_TIMEOUT = backend.OPEN_TIMEOUT, 0.2
        try:
            message = self.assert_raises_code(50, store._put, self.file(BIG), NAME)
        finally:
            backend.OPEN_TIMEOUT = patience
        self.assertIn("did not open its end", message)
        self.assertIsNone(store.resident)

    def test_a_file_that_cannot_be_read_is_not_an_absent_object(self):
        store = self.backend()
        self.assert_raises_code(50, store._put, path.Path(b"/nonexistent/volume"), NAME)
        self.assert_raises_code(50, store._get, NAME, path.Path(b"/nonexistent/volume"))

    def test_a_resident_that_is_not_there_is_not_an_absent_object(self):
        store = self.backend()
        store.argv = ["/nonexistent/distdup"]
        self.assert_raises_code(50, store._query, NAME)
        self.assert_raises_code(50, store._list)

    def test_a_get_is_whole_or_leaves_nothing(self):
        self.backend()._put(self.file(BIG), NAME)
        for fault in ("cut", "refuse-get-midway", "die-in-get", "damaged"):
            with self.subTest(fault=fault):
                store = self.backend(fault)
                self.assert_raises_code(50, store._get, NAME, self.target())
                self.assertFalse(os.path.exists(self.target().name))
                self.assert_nothing_left()
                store._get(NAME, self.target())
                with open(self.target().name, "rb") as got:
                    self.assertEqual(got.read(), BIG)
                os.unlink(os.path.join(self.store, ".faulted"))

    def test_damage_beyond_repair_is_not_tried_again(self):
        self.backend()._put(self.file(BIG), NAME)
        with self.assertRaises(FatalBackendException):
            self.backend("damaged")._get(NAME, self.target())

    def test_a_list_is_whole_or_an_error(self):
        self.backend()._put(self.file(b"x"), NAME)
        store = self.backend("short-list")
        self.assertIn("two hosts are silent", self.assert_raises_code(50, store._list))
        self.assertEqual(store._list(), [NAME])

    def test_a_list_is_in_the_order_of_numbers(self):
        names = [b"duplicity-full.20260101T000000Z.vol%d.difftar.gz" % i for i in range(1, 13)]
        for name in reversed(names):
            self.backend()._put(self.file(b"x"), name)
        self.assertEqual(self.backend()._list(), names)

    def test_an_answer_that_is_none_is_an_error(self):
        store = self.backend("babble")
        self.assertIn("panic!", self.assert_raises_code(50, store._query, NAME))
        self.assertEqual(store._query(NAME), {"size": -1})

    def test_another_protocol_is_refused(self):
        with self.assertRaises(FatalBackendException):
            self.backend("other-protocol")._list()

    def test_without_distdup_it_says_so(self):
        del os.environ["DISTDUP_RUNTIME"]
        with self.assertRaisesRegex(FatalBackendException, "DISTDUP_RUNTIME"):
            self.backend()

    def test_a_degraded_put_is_a_warning(self):
        said = []
        store = self.backend("degraded")
        warn, backend.log.Warn = backend.log.Warn, lambda text, *_: said.append(text)
        try:
            store._put(self.file(b"x"), NAME)
            store._put(self.file(b"y"), NAME)
        finally:
            backend.log.Warn = warn
        self.assertEqual(len(said), 1)
        self.assertIn("h1 lacks duplicity-full", said[0])

    def test_duplicity_tries_again(self):
        config.num_retries, config.backend_retry_delay = 3, 0
        for fault in ("die-midway", "refuse-midway"):
            with self.subTest(fault=fault):
                wrapper = dup_backend.BackendWrapper(self.backend(fault))
                wrapper.put(self.file(BIG), NAME)
                self.assertEqual(self.kept(), BIG)
                os.unlink(os.path.join(self.store, ".faulted"))

    def test_a_validation_is_tried_again(self):
        config.num_retries, config.backend_retry_delay = 3, 0
        self.backend()._put(self.file(b"x"), NAME)
        for fault in ("babble", "die-at-once"):
            with self.subTest(fault=fault):
                store = self.backend(fault)
                self.assertTrue(store._validate(NAME, 1, source_path=None)[0])
                self.assertFalse(store._validate(NAME, 2, source_path=None)[0])
                os.unlink(os.path.join(self.store, ".faulted"))


if __name__ == "__main__":
    unittest.main()
