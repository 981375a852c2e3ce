#!/usr/bin/env bash
# Checks and records this machine's GPU with the binaries beside this script.
#
#   gpu-check.sh PART OUT
#
# parts   doctor conformance sweep8 main truth network repeat versus-torch sweep8-c-in fine grid depthwise sweep8-tf32 bench
#         all: these in this order, until LOCP_MINUTES are spent
# OUT     gets PART.tar.gz, with the log even where the part failed; `all` writes one archive, again after each part
#
# Needs Linux on x86-64, NVIDIA's driver, and for cuDNN and its compiler a python3 with torch. No Rust.
# A part takes less than nine minutes. What it measured stays in LOCP_WORK, so the same command goes on where it was.
#
# LOCP_WORK      the folder that is gone on with, one below it for each engine (default /tmp/locp-gpu-UID)
# LOCP_FROM      a folder with archives of an earlier run, to go on with on a new machine
# LOCP_MINUTES   time for `all` (default 25)
# LOCP_PARTS     other parts, or another order, for `all`
# LOCP_ENGINE    cuda (default), cuda:1, or simulated:h100 to try everything without a GPU
# PYTHON         the python3 with torch (default: python3)
#
# Exit 0: all went well. 1: something failed; its log is in the archive. 2: it cannot run here.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
engine=${LOCP_ENGINE:-cuda}
# What one engine measured is never gone on with by another.
work=${LOCP_WORK:-/tmp/locp-gpu-$UID}/${engine//[^a-z0-9]/-}
python=${PYTHON:-python3}
all_parts="doctor conformance sweep8 main truth network repeat versus-torch sweep8-c-in fine grid depthwise sweep8-tf32 bench"
most_archive=$((16 << 20))
device=cuda
dry=()
case $engine in
simulated:*)
    device=cpu
    dry=(--dry-run)
    ;;
esac

export PYTHONUNBUFFERED=1
# The binaries look for cuDNN through the python3 on PATH, which should be the same one.
case $python in
*/python3) PATH=$(dirname "$python"):$PATH ;;
esac

say() { printf '%s\n' "$*" >&2; }
give_up() {
    say "gpu-check: $*"
    exit 2
}

# The first line of the header, then everything up to the first line that is no comment.
usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; }

# Whether version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

check_machine() {
    [ "$(uname -sm)" = "Linux x86_64" ] || give_up "the binaries are for Linux on x86-64, and this is $(uname -sm)"
    [ -r "$here/BUILT" ] || give_up "there is no BUILT beside this script; make the pack by: cargo run --release -p xtask -- gpu-pack"
    local needed here_is
    needed=$(sed -n 's/^glibc //p' "$here/BUILT")
    here_is=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //')
    [ -n "$here_is" ] || here_is=$(ldd --version 2>/dev/null | head -n 1 | grep -o '[0-9.]*$')
    at_least "${here_is:-0}" "$needed" ||
        give_up "the binaries need glibc $needed, and this machine has ${here_is:-none}; build the pack on an older system"
}

# One short convolution tells whether there is anything to check; `doctor` is for finding out why not.
check_engine() {
    case $engine in
    cuda | cuda:* | simulated:*) ;;
    *) give_up "there is no engine $engine here; use cuda, cuda:INDEX or simulated:h100" ;;
    esac
    "$here/bin/locp" -q --progress never bench --engine "$engine" 'n1 64>64 8x8 k1 f16 nhwc' >/dev/null ||
        give_up "the engine $engine cannot run here; gpu-check.sh doctor OUT says more"
}

# Runs a command for at most so many seconds; being stopped is a failure, and said.
limited() {
    local seconds=$1 status=0 child
    shift
    say "\$ $*"
    timeout -k 20 "$seconds" "$@" &
    child=$!
    # `timeout` is in a process group of its own, which Ctrl-C does not reach.
    trap 'kill -TERM "$child" 2>/dev/null' INT
    wait "$child" || status=$?
    # The signal ends the first wait; the status is that of the end.
    if kill -0 "$child" 2>/dev/null; then
        wait "$child"
        status=$?
    fi
    trap - INT
    [ "$status" = 0 ] || say "exit $status: $*"
    return "$status"
}

# Minutes that a part, or a share of it, may take: less where `all` has less left.
minutes_for() {
    local most share=${2:-1}
    case $1 in
    sweep8* | main) most=8.5 ;;
    fine | grid | versus-torch | conformance) most=5 ;;
    *) most=3 ;;
    esac
    [ "$asked" = all ] || most=8.5
    awk -v most="$most" -v left="$minutes_left" -v share="$share" 'BEGIN { print (left < most ? left : most) * share }'
}
seconds_for() { awk -v minutes="$(minutes_for "$@")" 'BEGIN { printf "%d", minutes * 60 + 20 }'; }

# Records a part of gpu_record into a folder within a share of the time. A kernel that breaks the GPU's context takes the
# process with it, so there is a second and a third one, each of which goes on where the last one ended.
record() {
    local part=$1 folder=$2 share=$3 status deadline attempt
    shift 3
    deadline=$((SECONDS + $(seconds_for "$part" "$share")))
    for attempt in 1 2 3; do
        status=0
        limited "$((deadline - SECONDS))" "$here/bin/gpu_record" "$part" --out "$folder" \
            --minutes "$(awk -v left="$((deadline - SECONDS - 18))" 'BEGIN { print left / 60 }')" --engine "$engine" "$@" ||
            status=$?
        if [ "$status" = 0 ] || [ "$status" -ge 124 ] || [ "$((deadline - SECONDS))" -le 40 ] || [ "$attempt" = 3 ]; then
            break
        fi
        say "once more: what was measured is kept"
    done
    # One that was stopped from outside has not described what it measured.
    [ "$status" -lt 124 ] || "$here/bin/gpu_record" describe "$folder"
    return "$status"
}

part_doctor() {
    local status=0
    cat "$here/BUILT"
    uname -a
    getconf GNU_LIBC_VERSION
    nvidia-smi || say "no nvidia-smi"
    nvidia-smi -q || true
    command -v "$python" || say "no $python"
    limited 60 "$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())' || true
    sanitizer || say "no compute-sanitizer"
    limited 120 "$here/bin/locp" doctor || status=1
    limited 60 "$here/bin/locp" doctor --format json >"$1/doctor.json" || status=1
    return "$status"
}

sanitizer() {
    local tool
    command -v compute-sanitizer && return
    for tool in /usr/local/cuda*/bin/compute-sanitizer; do
        [ -x "$tool" ] && echo "$tool" && return
    done
    return 1
}

part_conformance() {
    local status=0 deadline test tool check code
    deadline=$((SECONDS + $(seconds_for conformance 0.7)))
    [ "$device" = cpu ] || export LOCP_REQUIRE_GPU=1
    for test in "$here"/tests/*; do
        limited "$((deadline > SECONDS ? deadline - SECONDS : 5))" "$test" --test-threads 1 --nocapture || status=1
    done
    if ! tool=$(sanitizer); then
        say "skipped: no compute-sanitizer"
        return "$status"
    fi
    # Our own kernels only, because everything is some fifty times slower under it; not to reach the end is no failure.
    for check in memcheck racecheck; do
        code=0
        limited "$(seconds_for conformance 0.1)" "$tool" --tool "$check" --error-exitcode 9 \
            "$here/tests/gpu_conformance" --test-threads 1 our_kernels || code=$?
        [ "$code" = 0 ] || [ "$code" -ge 124 ] || status=1
    done
    return "$status"
}

# The same convolutions in two processes.
part_repeat() {
    local status=0
    record repeat "$1/a" 0.5 --seed 1 || status=1
    record repeat "$1/b" 0.5 --seed 2 || status=1
    # Two recordings of which one failed show nothing, least of all where an earlier one had succeeded.
    [ "$status" = 0 ] || return 1
    "$here/bin/gpu_record" compare "$1/a" "$1/b" | tee "$1/compare.txt" || status=1
    return "$status"
}

part_bench() {
    local status=0 bench
    [ -d "$here/benches" ] || { say "skipped: the pack has no benchmarks"; return 0; }
    for bench in "$here"/benches/*; do
        CRITERION_HOME=$1/criterion limited "$(seconds_for bench)" "$bench" --bench || status=1
    done
    return "$status"
}

# Ours first, on plain convolutions, then the same ones through PyTorch.
part_versus-torch() {
    local status=0
    record versus "$1/ours" 0.4 --select autotune || status=1
    limited "$(seconds_for versus-torch 0.6)" "$python" "$here/versus_torch.py" --table "$1/ours/table.jsonl" --out "$1/torch" \
        --minutes "$(minutes_for versus-torch 0.55)" --device "$device" ${dry[@]+"${dry[@]}"} || status=1
    return "$status"
}

part_main() {
    limited "$(seconds_for main)" "$python" "$here/main.py" --locp "$here/bin/locp" --out "$1" --engine "$engine" \
        --minutes "$(minutes_for main)" --device "$device" ${dry[@]+"${dry[@]}"}
}

# What an earlier archive holds, where this machine has nothing of the part yet.
fetch() {
    local part=$1 archive
    [ ! -e "$work/$part" ] && [ -n "${LOCP_FROM:-}" ] || return 0
    for archive in "$LOCP_FROM/$part.tar.gz" "$LOCP_FROM/all.tar.gz"; do
        [ -r "$archive" ] || continue
        tar -xzf "$archive" -C "$work" "./$part" 2>/dev/null || continue
        find "$work/$part" -name 'samples.jsonl.gz' -exec gunzip -f {} +
        say "$part goes on from $archive"
        return 0
    done
}

# Models stay here; they are large, and made again from a seed. Raw samples are packed by themselves, as they are kept.
archive() {
    local name=$1 staged part bytes
    shift
    staged=$(mktemp -d)
    for part in "$@"; do
        [ -d "$work/$part" ] && cp -r "$work/$part" "$staged/"
    done
    find "$staged" \( -name '*.onnx' -o -name '*.part' \) -delete
    find "$staged" -name 'samples.jsonl' -exec gzip -9 -n {} +
    tar -czf "$out/.$name.tar.gz" -C "$staged" . && mv "$out/.$name.tar.gz" "$out/$name.tar.gz"
    rm -rf "$staged"
    bytes=$(wc -c <"$out/$name.tar.gz")
    say "$out/$name.tar.gz: $bytes bytes"
    [ "$bytes" -le "$most_archive" ] || say "gpu-check: that is more than $most_archive bytes; take it by another way"
}

# Ctrl-C stops what measures; what it wrote is still described, logged and packed.
interrupted=
trap 'interrupted=1' INT
unstopped_tee() { (trap '' INT; exec tee -a "$1" >&2); }

run_part() {
    local part=$1 folder=$work/$1 started=$SECONDS status
    fetch "$part"
    mkdir -p "$folder"
    {
        say "== $part, $(date -u +%FT%TZ)"
        case $part in
        sweep8* | fine | grid | depthwise | truth | network) record "$part" "$folder" 1 ;;
        *) "part_$part" "$folder" ;;
        esac
    } 2>&1 | unstopped_tee "$folder/log.txt"
    status=${PIPESTATUS[0]}
    say "== $part: exit $status after $((SECONDS - started)) s" 2>&1 | tee -a "$folder/log.txt" >&2
    return "$status"
}

[ $# = 2 ] || { usage; exit 2; }
asked=$1
case " $all_parts all " in
*" $asked "*) ;;
*)
    say "gpu-check: there is no part $asked"
    usage
    exit 2
    ;;
esac
check_machine
[ "$asked" = doctor ] || check_engine
[ -z "${LOCP_FROM:-}" ] || [ -d "$LOCP_FROM" ] || give_up "LOCP_FROM is $LOCP_FROM, which is no folder"
for part in ${LOCP_PARTS:-}; do
    case " $all_parts " in *" $part "*) ;; *) give_up "LOCP_PARTS: there is no part $part" ;; esac
done
mkdir -p "$2" "$work" || give_up "cannot write $2 and $work"
out=$(cd "$2" && pwd)
minutes_left=8.5
failed=()
if [ "$asked" = all ]; then
    done_parts=()
    for part in ${LOCP_PARTS:-$all_parts}; do
        minutes_left=$(awk -v all="${LOCP_MINUTES:-25}" -v spent="$SECONDS" 'BEGIN { print all - spent / 60 - 0.5 }')
        if awk -v left="$minutes_left" 'BEGIN { exit !(left < 0.5) }'; then
            say "the time is over before $part"
            failed+=("$part")
            continue
        fi
        run_part "$part" || failed+=("$part")
        done_parts+=("$part")
        archive all "${done_parts[@]}"
        [ -z "$interrupted" ] || break
    done
else
    run_part "$asked" || failed+=("$asked")
    archive "$asked" "$asked"
fi
[ -z "$interrupted" ] || { say "interrupted: what was measured is kept; run it again to go on"; exit 130; }
[ ${#failed[@]} = 0 ] || { say "failed or not reached: ${failed[*]}"; exit 1; }
