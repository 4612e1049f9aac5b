#!/usr/bin/env python3
"""The Debian package and the image, tried in a fresh Debian 12 (made with debootstrap; needs root).

Package: install, start by the unit's own command as the unit's user, run a flow, upgrade over a running server's data, remove
(data stays), purge (data goes); the unit is checked with systemd-analyze. Image: built from deploy/docker/Dockerfile with the
same Debian as BASE by a real Docker engine that this test starts; runs as a user, answers, and is small.

Usage: test/package/run.py DEB [--image]"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOW = """id: greet
namespace: demo
tasks:
  - {id: say, type: shell, commands: ["echo hello from $(id -un)"]}
"""
IMAGE_BYTES_MAX = 60_000_000


def run(*command, check=True, **keys):
    done = subprocess.run(command, capture_output=True, text=True, **keys)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def need(*packages):
    missing = [name for name in packages
               if subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name],
                                 capture_output=True, text=True).stdout != "installed"]
    if missing:
        run("apt-get", "install", "-y", "--no-install-recommends", *missing,
            env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))


def mirror():
    """Where this machine's own apt gets Debian from."""
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        if not path.is_file():
            continue
        for line in path.read_text().splitlines():
            words = [word for word in line.split() if not word.startswith("[") and not word.endswith("]")]
            if words[:1] == ["deb"] and words[2:3] == ["bookworm"]:
                return words[1]
            if words[:1] == ["URIs:"] and words[1].rstrip("/").endswith("/debian"):
                return words[1]
    return "http://deb.debian.org/debian"


class Debian:
    """A fresh Debian in a directory; commands run in it by chroot."""

    def __init__(self, root):
        self.root = Path(root)
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root), mirror())
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", self.root / "etc" / name)
        for source in Path("/etc/apt/apt.conf.d").glob("*"):
            if source.is_file():
                shutil.copy(source, self.root / "etc/apt/apt.conf.d" / source.name)
        run("mount", "-t", "proc", "proc", str(self.root / "proc"))

    def close(self):
        run("umount", "-l", str(self.root / "proc"), check=False)

    def run(self, *command, check=True):
        return run("chroot", str(self.root), *command, check=check,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                        **{key: value for key, value in os.environ.items() if "proxy" in key.lower()}})

    def start(self):
        """The unit's own command, as the unit's user, with the unit's environment file."""
        unit = dict(line.split("=", 1) for line in (self.root / "lib/systemd/system/baton.service").read_text().splitlines()
                    if "=" in line and not line.startswith("#"))
        line = (f". /etc/default/baton; export BATON_OPTIONS; cd {unit['WorkingDirectory']}; "
                f"exec {unit['ExecStart']}")
        process = subprocess.Popen(
            ["chroot", f"--userspec={unit['User']}:{unit['Group']}", str(self.root), "/bin/sh", "-c", line],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        first = process.stdout.readline()
        assert "ready at http://127.0.0.1:" in first, first
        return process


def stop(process):
    process.terminate()
    assert process.wait(60) == 0


def check_flow(debian, said):
    (debian.root / "tmp/greet.yml").write_text(FLOW)
    os.chmod(debian.root / "tmp/greet.yml", 0o644)
    baton = ["/usr/bin/baton"]
    debian.run(*baton, "flow", "push", "/tmp/greet.yml", "--data", "/var/lib/baton")
    out = debian.run(*baton, "exec", "start", "demo", "greet", "-w", "--data", "/var/lib/baton")
    assert "hello from baton" in out and "SUCCESS" in out, out
    print(f"ok    {said}: a flow ran as the service's user")


def package(debian, deb):
    shutil.copy(deb, debian.root / "tmp/baton.deb")
    debian.run("apt-get", "update")
    debian.run("apt-get", "install", "-y", "--no-install-recommends", "/tmp/baton.deb")
    assert debian.run("/usr/bin/baton", "version").startswith("baton ")
    assert "http.request" in debian.run("/usr/bin/baton", "plugin", "list")
    state = os.stat(debian.root / "var/lib/baton")
    assert state.st_mode & 0o777 == 0o700 and state.st_uid != 0
    options = debian.root / "etc/default/baton"
    options.write_text(options.read_text().replace("--port 8080", "--port 18473"))
    print("ok    installed")
    server = debian.start()
    check_flow(debian, "started")
    stop(server)
    newer = repack(debian, deb)
    debian.run("dpkg", "-i", newer)
    assert "18473" in options.read_text(), "the upgrade overwrote the options"
    server = debian.start()
    listed = json.loads(debian.run("/usr/bin/baton", "exec", "list", "--json", "--data", "/var/lib/baton"))
    assert len(listed) == 1 and listed[0]["state"]["current"] == "SUCCESS", listed
    check_flow(debian, "upgraded")
    stop(server)
    debian.run("dpkg", "-r", "baton")
    assert not (debian.root / "usr/bin/baton").exists()
    assert (debian.root / "var/lib/baton/baton.db").exists(), "removing took the data"
    debian.run("dpkg", "-P", "baton")
    assert not (debian.root / "var/lib/baton").exists() and not options.exists()
    print("ok    removed, purged")


def repack(debian, deb):
    """The same package with a higher version."""
    folder = debian.root / "tmp/newer"
    run("dpkg-deb", "-R", str(deb), str(folder))
    control = folder / "DEBIAN/control"
    control.write_text(control.read_text().replace("Version: ", "Version: 99."))
    run("dpkg-deb", "-b", str(folder), str(debian.root / "tmp/newer.deb"))
    return "/tmp/newer.deb"


def unit(deb):
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "-x", str(deb), folder)
        service = Path(folder, "lib/systemd/system/baton.service")
        text = service.read_text().replace("/usr/bin/baton", f"{folder}/usr/bin/baton")
        service.write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", str(service)], capture_output=True, text=True)
        told = [line for line in done.stderr.splitlines() if "baton" in line]
        assert done.returncode == 0 and not told, done.stderr
    print("ok    the unit is valid")


def image(debian):
    need("docker.io")
    folder = tempfile.mkdtemp(prefix="baton-docker-")
    host = f"unix://{folder}/docker.sock"
    engine = subprocess.Popen(
        ["unshare", "-m", "--propagation", "slave", "dockerd", "--data-root", f"{folder}/data", "--exec-root",
         f"{folder}/exec", "-p", f"{folder}/pid", "-H", host, "--bridge=none", "--iptables=false",
         "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def docker(*words, **keys):
            return run("/usr/bin/docker", "-H", host, *words, **keys)
        for _ in range(100):
            if subprocess.run(["/usr/bin/docker", "-H", host, "info"], capture_output=True).returncode == 0:
                break
            time.sleep(0.3)
        else:
            raise AssertionError("no Docker engine can be started here")
        tar = f"{folder}/base.tar"
        debian.run("apt-get", "clean")
        run("tar", "-C", str(debian.root), "--exclude=./proc/*", "--exclude=./tmp/*", "-cf", tar, ".")
        docker("import", tar, "base:test")
        os.unlink(tar)
        proxies = [f"--build-arg={key}={value}" for key, value in os.environ.items() if "proxy" in key.lower()]
        docker("build", "--network=host", *proxies, "--build-arg", "BASE=base:test", "-t", "baton:test", "-f",
               str(ROOT / "deploy/docker/Dockerfile"), str(ROOT), timeout=1500)
        ident = docker("run", "-d", "--network=host", "baton:test", "server", "--data", "/var/lib/baton", "--bind",
                       "127.0.0.1", "--port", "18474").strip()
        for _ in range(100):
            if "ready at" in docker("logs", ident):
                break
            time.sleep(0.1)
        assert docker("exec", ident, "id", "-un").strip() == "baton"
        docker("exec", ident, "sh", "-c", f"cat >/tmp/f.yml <<'X'\n{FLOW}X\nbaton flow push /tmp/f.yml --data /var/lib/baton")
        out = docker("exec", ident, "baton", "exec", "start", "demo", "greet", "-w", "--data", "/var/lib/baton")
        assert "hello from baton" in out and "SUCCESS" in out, out
        docker("stop", "-t", "30", ident)
        assert "stopping" in docker("logs", ident)
        size = int(run("sh", "-c", f"/usr/bin/docker -H {host} export {ident} | gzip -6 | wc -c"))
        base = int(run("sh", "-c", f"tar -C {debian.root} --exclude=./proc/* --exclude=./tmp/* -c . | gzip -6 | wc -c"))
        print(f"ok    the image runs as a user; {size / 1e6:.1f} MB compressed, of which its base {base / 1e6:.1f} MB")
        assert size < IMAGE_BYTES_MAX or size - base < 20_000_000, size
    finally:
        engine.terminate()
        engine.wait(60)
        run("umount", "-lR", f"{folder}/data", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("deb", type=Path)
    parser.add_argument("--image", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: this test needs root")
        return 0
    need("debootstrap", "systemd")
    unit(options.deb)
    with tempfile.TemporaryDirectory(prefix="baton-debian-") as folder:
        try:
            debian = Debian(f"{folder}/root")
        except AssertionError as error:
            print(f"skipped: no Debian can be fetched here\n{error}")
            return 0
        try:
            package(debian, options.deb)
            if options.image:
                image(debian)
        finally:
            debian.close()
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
