"""A PostgreSQL of the tests' own, thrown away at the end, and a database for each data folder."""
import hashlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import urllib.parse

SERVER = "TENON_TEST_POSTGRESQL"  # postgresql://USER@HOST:PORT, once one has been started
PRELOAD = "TENON_TEST_PRELOAD"
TEMPLATE = "tenon_template"
SEE_ALL = "-c tenon.environment=*"  # as an option of libpq: rows of all environments
known = set()


def programs():
    """The folder with initdb and the like of the newest that is installed; None: there is none."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def as_postgres(*command):
    """It refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.getuid() == 0 else list(command)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Cluster:
    def __init__(self, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenon-postgresql-"))
        self.port = free_port()
        self.url = f"postgresql://tenon@127.0.0.1:{self.port}"
        if os.getuid() == 0:
            shutil.chown(self.folder, pwd.getpwnam("postgres").pw_uid)
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8",
                 "--locale=C.UTF-8", "--no-sync")
        options = {"max_connections": 400, "listen_addresses": "127.0.0.1", "port": self.port,
                   "unix_socket_directories": self.folder, **settings}
        with open(self.folder / "data" / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        self.start()
        # No superuser: who is one passes by the guards of the tables.
        for sql in ("CREATE ROLE tenon LOGIN CREATEDB", "CREATE DATABASE tenon OWNER tenon"):
            subprocess.run(["psql", "-X", "-q", "-c", sql,
                            f"postgresql://postgres@127.0.0.1:{self.port}/postgres"], check=True)

    @property
    def data(self):
        return str(self.folder / "data")

    def run(self, program, *arguments):
        subprocess.run(as_postgres(str(programs() / program), *arguments), check=True,
                       stdout=subprocess.DEVNULL, cwd="/")

    def start(self, wait=True):
        self.run("pg_ctl", "-D", self.data, "-w" if wait else "-W", "-l", str(self.folder / "log"), "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def end(self):
        self.stop("immediate")
        shutil.rmtree(self.folder, True)  # its processes may still be tidying up


def make_preload(folder):
    """Servers are to hold no lock while they wait for the database: see locks.c."""
    library = pathlib.Path(folder) / "locks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).parent / "locks.c",
                    "-ldl"], check=True)
    os.environ[PRELOAD] = str(library)


def preload(arguments):
    return {"LD_PRELOAD": os.environ[PRELOAD]} if PRELOAD in os.environ and arguments[0] == "serve" else {}


def psql(sql, database="postgres", user="tenon", options=SEE_ALL):
    server = os.environ[SERVER].replace("//tenon@", f"//{user}@")
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql,
                           f"{server}/{database}"], check=True, capture_output=True, text=True,
                          env={**os.environ, "PGOPTIONS": options}).stdout


def name_of(data):
    return "t" + hashlib.sha1(os.path.realpath(data).encode()).hexdigest()[:20]


def environment(arguments):
    """What a program with this data folder is given, and the database to it."""
    arguments = list(map(str, arguments))
    if not is_used() or "--data" not in arguments:
        return {}
    name = name_of(arguments[arguments.index("--data") + 1])
    if name not in known:
        known.add(name)
        if not psql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            psql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    return {"TENON_DATABASE": f"{os.environ[SERVER]}/{name}"}


def is_used():
    return SERVER in os.environ


def address():
    """Of the database; None: there is none."""
    if not is_used():
        return None
    parts = urllib.parse.urlsplit(os.environ[SERVER])
    return parts.hostname, parts.port


def url_of(data, user="tenon"):
    return f"{os.environ[SERVER].replace('//tenon@', f'//{user}@')}/{name_of(data)}"


def dump(data, path, *options):
    """As docs/operating.md has it."""
    subprocess.run(["pg_dump", "--enable-row-security", *options, "-f", str(path), url_of(data)], check=True,
                   env={**os.environ, "PGOPTIONS": SEE_ALL})


def restore(data, path):
    """A dump of the custom format into a new database, which is then that of this folder."""
    name = name_of(data)
    psql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8")
    known.add(name)
    subprocess.run(["pg_restore", "--no-owner", "--exit-on-error", "-d",
                    url_of(data), str(path)], check=True)


def make_template(program):
    """With the tables in it, so that not each test makes them."""
    psql(f"CREATE DATABASE {TEMPLATE}")
    with tempfile.TemporaryDirectory() as data:
        subprocess.run([program, "environment", "list", "--data", f"{data}/data"], check=True,
                       stdout=subprocess.DEVNULL,
                       env={**os.environ, "TENON_DATABASE": f"{os.environ[SERVER]}/{TEMPLATE}"})
    psql("DELETE FROM audit_head; DELETE FROM data_key; DELETE FROM node", TEMPLATE)


def drop(data):
    """When the folder goes."""
    name = name_of(data)
    if name in known:
        known.remove(name)
        # Autovacuum may be at it, which is a superuser's.
        psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", user="postgres")
