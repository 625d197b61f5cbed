# SPDX-License-Identifier: BSL-1.0
"""What servers need beside them: a certificate, a database. Made at first use, and gone at the end.

Both return what the server finds in its environment.
"""

import atexit
import functools
import glob
import os
import shutil
import subprocess
import tempfile

from run import Failed


def folder():
    made = tempfile.mkdtemp(prefix="weft-compare-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def call(*command):
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd="/",
        env=os.environ | {"LC_ALL": "C"},
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{command[0]}: {done.stderr.strip()}")


@functools.cache
def certificate():
    """A certificate for localhost that signs itself; P-256, which is what servers have today."""
    if not shutil.which("openssl"):
        raise Failed("apt-get install openssl")
    where = folder()
    files = {"KEY": f"{where}/key.pem", "CERTIFICATE": f"{where}/certificate.pem"}
    call(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost"),
        *("-keyout", files["KEY"], "-out", files["CERTIFICATE"]),
    )
    return {f"WEFT_COMPARE_{name}": file for name, file in files.items()}


@functools.cache
def database():
    """An instance of PostgreSQL in a folder of its own, with a thousand people in it."""
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not installed:
        raise Failed("apt-get install postgresql")
    where = folder()
    data = f"{where}/data"
    user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(where, "postgres")

    def postgres(program, *arguments):
        # pg_ctl's server keeps an output open that is not its own: a file.
        with open(f"{where}/{program}", "wb") as log:
            done = subprocess.run(
                [*user, f"{installed[-1]}/{program}", *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd="/",
                env=os.environ | {"LC_ALL": "C"},
                check=False,
            )
        if done.returncode != 0:
            with open(f"{where}/{program}", encoding="utf-8", errors="replace") as log:
                raise Failed(f"{program}: {log.read().strip()}")

    postgres("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    options = f"-k {where} -c listen_addresses= -c max_connections=100 -c fsync=off"
    control = ("pg_ctl", "-w", "-s", "-D", data)
    postgres(*control, "-o", options, "-l", f"{where}/log", "start")
    atexit.register(postgres, *control, "-m", "immediate", "stop")
    make = (
        "create table people (id int primary key, name text);"
        "insert into people select n, 'person ' || n from generate_series(1, 1000) n;"
        "vacuum analyze people"
    )
    for statement in make.split(";"):
        call("psql", "-q", "-h", where, "-U", "postgres", "-c", statement, "postgres")
    return {"WEFT_COMPARE_DATABASE": f"host={where} user=postgres dbname=postgres"}
