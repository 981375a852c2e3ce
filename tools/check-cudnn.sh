#!/usr/bin/env bash
# Describes hundreds of convolutions to the real cuDNN, without a GPU: descriptors and operation graphs are finalized.
# Installs cuDNN from Python's registry into a folder of its own (1.7 GB with what it needs), so CI does not run this.
# Usage: tools/check-cudnn.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/cudnn}
[ -x "$folder/bin/python" ] || python3 -m venv "$folder"
"$folder/bin/pip" install --quiet nvidia-cudnn-cu13 nvidia-cuda-nvrtc
packages=$("$folder/bin/python" -c 'import site; print(site.getsitepackages()[0])')
cudnn=$packages/nvidia/cudnn/lib

# Parts of cuDNN are linked against the driver, which is not here. Nothing of it is called for a description, so a
# library that has those functions and refuses every call will do; it exists in this folder only.
stub=$folder/driver
mkdir -p "$stub"
for part in "$cudnn"/libcudnn*.so.9; do
    nm -D --undefined-only "$part"
done | awk '$2 ~ /^cu[A-Z]/ { sub(/@.*/, "", $2); print $2 }' | sort -u |
    awk '{ print "int " $1 "(void) { return 100; }" }' > "$stub/driver.c"
cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$stub/libcuda.so.1" "$stub/driver.c"

LD_LIBRARY_PATH=$stub LOCP_CUDNN=$cudnn LOCP_REQUIRE_CUDNN=1 \
    cargo test --release --locked -p gpu-bench --lib -- --nocapture cudnn::tests
