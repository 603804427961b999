import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

from .real_servers import installed, needed

PACKAGE = Path(__file__).parent.parent


def run(*command, cwd=PACKAGE):
    done = subprocess.run([sys.executable, "-B", *command], cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class ThePackage(unittest.TestCase):
    @needed("mypy", installed("mypy"))
    def test_has_types_that_mypy_agrees_with(self):
        with tempfile.TemporaryDirectory() as cache:
            code, said = run("-m", "mypy", f"--cache-dir={cache}", "telltale_client")
        self.assertEqual(code, 0, said)

    @needed("pip", installed("pip") and installed("setuptools") and installed("wheel"))
    def test_becomes_a_wheel_with_every_module_and_the_mark_of_its_types(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "source"
            shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
            code, said = run("-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", folder, ".", cwd=source)
            self.assertEqual(code, 0, said)
            (wheel,) = Path(folder).glob("*.whl")
            files = set(zipfile.ZipFile(wheel).namelist())
        expected = {f"telltale_client/{path.name}" for path in (PACKAGE / "telltale_client").glob("*.py")}
        self.assertLessEqual(expected | {"telltale_client/py.typed", "telltale_client/schemas.json"}, files)


if __name__ == "__main__":
    unittest.main()
