"""The systemd unit is as closed as it can be."""
import re
import shutil
import subprocess
import unittest

from harness import ROOT

EXPOSURE_MAX = 1.5


class Service(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_exposure(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                               str(ROOT / "packaging" / "systemd" / "tenon.service")],
                              capture_output=True, text=True, timeout=60)
        found = re.search(r"Overall exposure level for tenon.service: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        self.assertLessEqual(float(found[1]), EXPOSURE_MAX, done.stdout)
