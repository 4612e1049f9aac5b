"""A virtual environment with packages of PyPI, for the tests that want other people's programs."""
import subprocess
import venv


def make_venv(folder, packages):
    """A venv with the packages; one that is whole already is kept."""
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == "\n".join(packages):
        return folder / "bin" / "python"
    venv.create(folder, clear=True, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *packages],
                   check=True, timeout=600)
    stamp.write_text("\n".join(packages))
    return folder / "bin" / "python"
