"""The judge of tools/dev/soak: it must see memory that grows and descriptors that stay."""

import importlib.machinery
import importlib.util
import os
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
loader = importlib.machinery.SourceFileLoader("soak", str(ROOT / "tools" / "dev" / "soak"))
soak = importlib.util.module_from_spec(importlib.util.spec_from_loader("soak", loader))
loader.exec_module(soak)


class Judge(unittest.TestCase):
    def test_what_is_made_once_is_no_growth(self):
        self.assertEqual(soak.growth([1, 90, 100, 100, 100, 100, 100, 100, 100]), 0)

    def test_a_leak_is_growth(self):
        leaking = [10_000_000 + 600_000 * n for n in range(9)]
        self.assertGreater(soak.growth(leaking), soak.GROWTH)

    def test_too_few_rounds_say_nothing(self):
        with self.assertRaises(soak.Failed):
            soak.growth([1, 2])

    def test_a_descriptor_that_stays_is_seen(self):
        soak.PATIENCE = 0.05
        opened = soak.descriptors(os.getpid())
        soak.settle(os.getpid(), opened)
        kept = os.open("/dev/null", os.O_RDONLY)
        with self.assertRaises(soak.Failed):
            soak.settle(os.getpid(), opened)
        os.close(kept)


if __name__ == "__main__":
    unittest.main()
