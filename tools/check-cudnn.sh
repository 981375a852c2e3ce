#!/usr/bin/env bash
# Describes hundreds of convolutions to the real cuDNN, without a GPU: descriptors and operation graphs are finalized, and
# its heuristics are asked what they would run on an H100.
# Installs cuDNN from Python's registry into a folder of its own (1.7 GB with what it needs), so CI does not run this.
# Usage: tools/check-cudnn.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/cudnn}
[ -x "$folder/bin/python" ] || python3 -m venv "$folder"
"$folder/bin/pip" install --quiet nvidia-cudnn-cu13 nvidia-cuda-nvrtc
packages=$("$folder/bin/python" -c 'import site; print(site.getsitepackages()[0])')
cudnn=$packages/nvidia/cudnn/lib

# Parts of cuDNN are linked against the driver, which is not here. Nothing is run, so a library that has those functions
# will do, as long as the few that are asked for something answer; it exists in this folder only.
stub=$folder/driver
mkdir -p "$stub"
cat > "$stub/driver.c" <<'C'
#include <stddef.h>
static int something[64];
#define GIVES(name, ...) int name(__VA_ARGS__, void **it) { *it = something; return 0; }
#define TAKES(name, ...) int name(void **it, ##__VA_ARGS__) { if (it) *it = something; return 0; }
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuGetErrorName(int code, const char **name) { *name = "an error"; return 0; }
int cuGetErrorString(int code, const char **text) { *text = "an error"; return 0; }
int cuCtxGetLimit(size_t *value, int which) { *value = 1024; return 0; }
int cuKernelGetAttribute(int *value, int which, void *kernel, int device) { *value = 0; return 0; }
int cuOccupancyMaxPotentialClusterSize(int *n, void *function, void *config) { *n = 8; return 0; }
TAKES(cuCtxGetCurrent)
TAKES(cuCtxPopCurrent_v2)
TAKES(cuCtxPopCurrent)
TAKES(cuKernelGetFunction, void *kernel)
TAKES(cuLibraryGetKernel, void *library, const char *name)
TAKES(cuLibraryLoadData, const void *code)
TAKES(cuLibraryLoadFromFile, const char *file)
TAKES(cuModuleGetFunction, void *module, const char *name)
TAKES(cuModuleLoadData, const void *image)
GIVES(cuStreamGetCtx, void *stream)
C
# Some are looked up by name only.
by_name="cuCtxPushCurrent cuCtxPushCurrent_v2 cuKernelSetAttribute cuLaunchCooperativeKernel cuLaunchKernel
    cuLaunchKernelEx cuLibraryUnload cuLinkAddData cuLinkComplete cuLinkCreate cuLinkDestroy cuModuleUnload
    cuTensorMapEncodeIm2col cuTensorMapEncodeTiled"
{
    for part in "$cudnn"/libcudnn*.so.9; do
        nm -D --undefined-only "$part" | awk '$2 ~ /^cu[A-Z]/ { sub(/@.*/, "", $2); print $2 }'
    done
    echo "$by_name" | tr -s ' \n' '\n'
} | sort -u | while read -r name; do
    grep -qw "$name" "$stub/driver.c" || echo "int $name(void) { return 0; }"
done > "$stub/rest.c"
cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$stub/libcuda.so.1" "$stub/driver.c" "$stub/rest.c"

LD_LIBRARY_PATH=$stub LOCP_CUDNN=$cudnn LOCP_REQUIRE_CUDNN=1 \
    cargo test --release --locked -p gpu-bench --lib -- --nocapture cudnn::tests
