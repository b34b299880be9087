"""The daemon under the restrictions of the shipped systemd unit captures, stores and publishes: `unit.py PROGRAM`, as root.

Where systemd is not the first process, nobody applies a unit. So it is done here by hand, from the unit file itself: mounts, capabilities,
system calls, address families, folders, `sd_notify`. A directive that this script does not know is an error, so that none is passed over.
What cannot be applied without systemd is measured instead: MemoryMax and TasksMax.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "packaging/systemd/picket.service"
NOBODY = 65534
# Where systemd has it.
NOTIFY = Path("/run/systemd/notify")
# Seconds that anything may take before it counts as not coming.
PATIENCE = 60

# Applied below, one by one.
APPLIED = {
    "NoNewPrivileges", "AmbientCapabilities", "CapabilityBoundingSet", "StateDirectory", "StateDirectoryMode", "RuntimeDirectory",
    "RuntimeDirectoryMode", "UMask", "LimitCORE", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts",
    "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups",
    "ProtectProc", "ProcSubset", "RestrictNamespaces", "RestrictRealtime", "LockPersonality", "MemoryDenyWriteExecute",
    "RestrictAddressFamilies", "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber", "User", "Group", "Type",
    "NotifyAccess", "WatchdogSec", "ExecStart", "ExecStartPre", "ConfigurationDirectory", "ConfigurationDirectoryMode",
}
MEASURED = {"MemoryMax", "TasksMax"}
# For the service manager alone, or without effect on this daemon, which makes no setuid file, no IPC object and no key.
ELSEWHERE = {"Restart", "RestartSec", "RestartForceExitStatus", "RestartPreventExitStatus", "TimeoutStopSec", "RuntimeDirectoryPreserve",
             "RestrictSUIDSGID", "RemoveIPC", "KeyringMode"}


def directives() -> dict[str, list[str]]:
    service = UNIT.read_text().split("[Service]")[1].split("[Install]")[0]
    found: dict[str, list[str]] = {}
    for line in service.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    unknown = set(found) - APPLIED - MEASURED - ELSEWHERE
    assert not unknown, f"directives that this test does not know: {sorted(unknown)}"
    return found


# ---- system calls --------------------------------------------------------------------------------------------------------------

def numbers() -> dict[str, int]:
    """The numbers of system calls on this machine."""
    text = subprocess.run(["gcc", "-E", "-dM", "-"], input="#include <sys/syscall.h>", capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}


def group(name: str) -> set[str]:
    """The system calls of one of systemd's groups."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(group(word) for word in words))


def allowed(lines: list[str]) -> set[str]:
    calls: set[str] = set()
    for line in lines:
        named = set().union(*(group(word) for word in line.removeprefix("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def seccomp(unit: dict[str, list[str]]) -> bytes:
    """A filter of system calls as systemd would load several: the lists, address families, namespaces, memory."""
    machine = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[os.uname().machine]
    number = numbers()
    families = [getattr(socket, name) for name in unit["RestrictAddressFamilies"][0].split()]
    permit, refuse, absent, kill = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38, 0x80000000
    load, equal, bits, and_, give = 0x20, 0x15, 0x45, 0x54, 0x06
    code: list[tuple[int, int, int, int]] = []

    def argument(place: int) -> tuple[int, int, int, int]:
        # The low word, on a little-endian machine.
        return (load, 0, 0, 16 + 8 * place)

    def on(call: str, steps: list[tuple[int, int, int, int]]) -> None:
        if call in number:
            code.append((equal, 0, len(steps), number[call]))
            code.extend(steps)

    code += [(load, 0, 0, 4), (equal, 1, 0, machine), (give, 0, 0, kill), (load, 0, 0, 0)]
    test = [argument(0)]
    for family in families:
        test += [(equal, 0, 1, family), (give, 0, 0, permit)]
    on("socket", [*test, (give, 0, 0, refuse)])
    # Not writable and executable at once, not executable later.
    on("mmap", [argument(2), (and_, 0, 0, 6), (equal, 0, 1, 6), (give, 0, 0, refuse), (give, 0, 0, permit)])
    for call in ("mprotect", "pkey_mprotect"):
        on(call, [argument(2), (bits, 0, 1, 4), (give, 0, 0, refuse), (give, 0, 0, permit)])
    # CLONE_NEW*; clone3 hides its flags, so libc is sent back to clone.
    on("clone", [argument(0), (bits, 0, 1, 0x7E020000), (give, 0, 0, refuse), (give, 0, 0, permit)])
    on("clone3", [(give, 0, 0, absent)])
    for call in sorted(allowed(unit["SystemCallFilter"]) - {"unshare", "setns", "personality", "sched_setscheduler"}):
        on(call, [(give, 0, 0, permit)])
    code.append((give, 0, 0, refuse))
    assert len(code) < 4096, len(code)
    return b"".join(struct.pack("<HBBI", *step) for step in code)


def confined(program: str, arguments: list[str], filter_file: str) -> None:
    """Loads the filter and becomes the program. Capabilities and no_new_privs have been seen to."""
    code = Path(filter_file).read_bytes()
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    description = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(22, 2, description, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")
    os.execv(program, [program, *arguments])


# ---- mounts --------------------------------------------------------------------------------------------------------------------

def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def layered(folder: Path) -> None:
    """Puts a layer of memory over a folder, so that what is made in it is gone with the mount namespace."""
    layer = Path("/mnt/layers") / folder.name
    for part in ("upper", "work"):
        (layer / part).mkdir(parents=True)
    mount("-t", "overlay", "-o", f"lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work", "overlay", folder)


def confine_files(program: Path, config: Path) -> None:
    """In a mount namespace of its own: what the unit shows of the file system."""
    # Program, model and filter lie in /mnt, where the unit hides nothing.
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/mnt")
    for source, name in ((program, "picket"), (ROOT / "models/default.onnx", "default.onnx"), (Path(__file__), "unit.py")):
        shutil.copy(source, Path("/mnt") / name)
    Path("/mnt/filter").write_bytes(seccomp(directives()))
    os.chmod("/mnt/picket", 0o755)
    # The folders of the unit, which are not this machine's. Those that it lacks are made in memory, not on its disk.
    document = config.read_bytes()
    for parent in ("/var/lib", "/etc"):
        layered(Path(parent))
    for folder, directive in (("/var/lib/picket", "StateDirectory"), ("/run/picket", "RuntimeDirectory"),
                              ("/etc/picket", "ConfigurationDirectory")):
        unit = directives()
        assert unit[directive] == ["picket"], unit[directive]
        Path(folder).mkdir(exist_ok=True)
        mode = unit[f"{directive}Mode"][0]
        mount("-t", "tmpfs", "-o", f"mode={mode},uid={NOBODY},gid={NOBODY}", "tmpfs", folder)
    Path("/etc/picket/picket.toml").write_bytes(document)
    os.chown("/etc/picket/picket.toml", 0, NOBODY)
    os.chmod("/etc/picket/picket.toml", 0o640)
    # ProtectHome, PrivateTmp.
    for folder in ("/home", "/root", "/tmp", "/var/tmp"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    # PrivateDevices.
    devices = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/dev")
    for name, (major, minor) in devices.items():
        os.mknod(f"/dev/{name}", 0o020666, os.makedev(major, minor))
        os.chmod(f"/dev/{name}", 0o666)
    # ProtectProc, ProcSubset; ProtectKernelTunables and ProtectControlGroups come with all that is read-only below.
    mount("-t", "proc", "-o", "hidepid=invisible,subset=pid", "proc", "/proc")
    # ProtectSystem=strict: every mount but those of the unit's own folders.
    own = ("/var/lib/picket", "/run/picket")
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in sorted(set(places)):
        if place not in own and not place.startswith("/proc"):
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=False, stderr=subprocess.DEVNULL)
    try:
        Path("/usr/written").write_text("")
    except OSError:
        return
    raise AssertionError("/usr can be written to")


# ---- the test ------------------------------------------------------------------------------------------------------------------

def wait_for(what: str, done) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"no {what} within {PATIENCE} s"
        time.sleep(0.1)


def run_daemon(program: Path, config: Path) -> int:
    """Forks the daemon into its cage; gives its process id."""
    unit = directives()
    pid = os.fork()
    if pid:
        return pid
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        # CLONE_NEWNS; the propagation of mounts is private already.
        assert libc.unshare(0x00020000) == 0, os.strerror(ctypes.get_errno())
        confine_files(program, config)
        os.umask(int(unit["UMask"][0], 8))
        names = unit["CapabilityBoundingSet"][0].split()
        assert names == unit["AmbientCapabilities"][0].split() == ["CAP_NET_RAW"], names
        rights = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all,+net_raw",
                  "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--no-new-privs"]
        python = shutil.which("python3", path="/usr/bin:/bin")
        assert python, "python3 of the system is needed: others may lie where the unit shows nothing"
        inside = [*rights, python, "/mnt/unit.py", "--confined", "/mnt/picket"]
        environment = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(NOTIFY), "WATCHDOG_USEC": "30000000",
                       "WATCHDOG_PID": str(os.getpid()), "LANG": "C"}
        subprocess.run([*inside, "check"], check=True, stdout=subprocess.DEVNULL, env=environment)
        os.execve(shutil.which("setpriv"), [*inside, "run"], environment)
    except BaseException as error:  # a child must not go on as its parent
        print(f"unit: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def main_inside(program: Path) -> None:
    """In namespaces of our own for network and mounts."""
    work = Path(tempfile.mkdtemp(prefix="picket-unit."))
    os.chmod(work, 0o755)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (work / "users").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", work / "users", "device", "right"], check=True, stderr=subprocess.DEVNULL)
    os.chmod(work / "users", 0o644)
    # The watched broker wants passwords; the one that alerts go to is another, without.
    (work / "watched.conf").write_text(
        f"listener 1883 127.0.0.1\nallow_anonymous false\npassword_file {work}/users\nuser root\n")
    (work / "uplink.conf").write_text("listener 1884 127.0.0.1\nallow_anonymous true\nuser root\n")
    config = work / "picket.toml"
    config.write_text(
        '[sensor]\nname = "caged"\n[capture]\ninterfaces = ["lo"]\nbuffer-mib = 4\n[model]\npath = "/mnt/default.onnx"\n'
        '[publish]\nbroker = "mqtt://127.0.0.1:1884"\n')
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    NOTIFY.parent.mkdir()
    notified.bind(str(NOTIFY))
    os.chmod(NOTIFY, 0o777)
    notified.settimeout(PATIENCE)
    children: list[subprocess.Popen] = []
    daemon = 0
    try:
        for name in ("watched", "uplink"):
            children.append(subprocess.Popen(["mosquitto", "-c", work / f"{name}.conf"], stderr=subprocess.DEVNULL))
        for port in (1883, 1884):
            wait_for(f"broker on {port}", lambda port=port: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        daemon = run_daemon(program, config)
        said = ""
        while "READY=1" not in said:
            said += notified.recv(4096).decode()
        while "WATCHDOG=1" not in said:
            said += notified.recv(4096).decode()

        heard = subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", "1884", "-t", "picket/v1/caged/alert/#", "-C", "1",
                                  "-W", str(PATIENCE)], stdout=subprocess.PIPE, text=True)
        children.append(heard)
        status = Path(f"/proc/{daemon}/status").read_text()
        for guess in range(12):
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-u", "device", "-P", f"guess-{guess}", "-t", "t", "-m", "x"],
                           check=False, stderr=subprocess.DEVNULL)
        # Windows are closed by time.
        answer, _ = heard.communicate(timeout=PATIENCE)
        alert = json.loads(answer)
        assert alert["class"] == "mqtt_bruteforce", alert

        # It is what the unit makes of it: a user without rights, but for the one until all was open.
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == [str(NOBODY)] * 4, fields["Uid"]
        for kind in ("CapEff", "CapPrm", "CapAmb", "CapInh"):
            assert int(fields[kind], 16) == 0, (kind, fields[kind])
        assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2", fields
        unit = directives()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{daemon}/status").read_text().splitlines() if ":\t" in line)
        resident, tasks = int(status["VmHWM"].split()[0]) // 1024, int(status["Threads"])
        assert resident < int(unit["MemoryMax"][0].removesuffix("M")) and tasks < int(unit["TasksMax"][0]), (resident, tasks)

        # Stored: asked of the daemon, in whose mounts its socket lies.
        def ask(*words: str) -> str:
            return subprocess.run(["nsenter", "--mount", "-t", str(daemon), "/mnt/picket", *words], check=True, capture_output=True,
                                  text=True).stdout
        stored = [json.loads(line) for line in ask("alerts", "list").splitlines()]
        assert alert["id"] in {one["id"] for one in stored}, stored
        health = ask("status")
        for line in ("capture    ok", "model      ok", "store      ok", "broker     ok", "sandbox    ok"):
            assert line in health.splitlines(), health

        os.kill(daemon, signal.SIGTERM)
        _, code = os.waitpid(daemon, 0)
        daemon = 0
        assert code == 0, code
        print(f"unit: captured, stored and published under the unit's restrictions; at most {resident} MiB, {tasks} threads")
    finally:
        if daemon:
            os.kill(daemon, signal.SIGKILL)
            os.waitpid(daemon, 0)
        for child in children:
            child.kill()
            child.wait()
        shutil.rmtree(work)


def main() -> None:
    match sys.argv[1:]:
        case ["--confined", program, *arguments]:
            confined(program, arguments, "/mnt/filter")
        case ["--inside", program]:
            main_inside(Path(program))
        case [program]:
            if os.geteuid() != 0:
                print("unit: skipped, needs root")
                return
            words = ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__, "--inside",
                     str(Path(program).resolve())]
            sys.exit(subprocess.run(words, check=False).returncode)
        case _:
            sys.exit("usage: unit.py PROGRAM")


if __name__ == "__main__":
    main()
