// The fake run-time compiler: it reads which kernels a source has and writes an image that lists them.
#define _GNU_SOURCE
#include "fake.h"
#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Results by the numbers of the library's reference.
enum {
    OK = 0,
    OUT_OF_MEMORY = 1,
    BAD_INPUT = 3,
    BAD_PROGRAM = 4,
    BAD_OPTION = 5,
    COMPILATION = 6,
    NAME_AFTER = 8,
    NAME_BEFORE = 9,
    NAME_UNKNOWN = 10
};

#define MOST 32

typedef struct {
    char *source;
    char *names[MOST], *lowered[MOST];
    int n_names, is_compiled;
    char *log, *image;
    size_t image_bytes;
} program;

static void count(int change) {
    static const fake_api *(*find)(void);
    if (!find) {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        if (driver) find = (const fake_api *(*)(void))dlsym(driver, "fake_driver");
    }
    if (find) find()->count("live programs", change);
}

FAKE_EXPORT int nvrtcVersion(int *major, int *minor) {
    const char *version = getenv("FAKE_NVRTC");
    *major = version ? atoi(version) : 13;
    *minor = 1;
    return OK;
}

FAKE_EXPORT const char *nvrtcGetErrorString(int code) {
    switch (code) {
    case OK: return "NVRTC_SUCCESS";
    case BAD_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case BAD_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case BAD_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case COMPILATION: return "NVRTC_ERROR_COMPILATION";
    case NAME_UNKNOWN: return "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID";
    default: return "NVRTC_ERROR";
    }
}

FAKE_EXPORT int nvrtcCreateProgram(void **to, const char *source, const char *name, int n_headers,
                                   const char *const *headers, const char *const *includes) {
    (void)name, (void)headers, (void)includes;
    if (!source || n_headers) return BAD_INPUT;
    program *made = calloc(1, sizeof *made);
    made->source = strdup(source);
    made->log = strdup("");
    count(1);
    *to = made;
    return OK;
}

FAKE_EXPORT int nvrtcDestroyProgram(void **of) {
    program *p = *of;
    if (!p) return BAD_PROGRAM;
    for (int i = 0; i < p->n_names; i++) free(p->names[i]), free(p->lowered[i]);
    free(p->source), free(p->log), free(p->image), free(p);
    *of = NULL;
    count(-1);
    return OK;
}

FAKE_EXPORT int nvrtcAddNameExpression(program *p, const char *name) {
    if (p->is_compiled) return NAME_AFTER;
    if (p->n_names == MOST) return OUT_OF_MEMORY;
    p->names[p->n_names++] = strdup(name);
    return OK;
}

// Whether the source has a kernel of this name: the word, followed by its parameters, some way behind `__global__`.
static int has_kernel(const char *source, const char *word, size_t length) {
    for (const char *at = source; (at = strstr(at, "__global__")); at++) {
        for (const char *c = at + 1; *c && *c != '{' && *c != ';'; c++) {
            int is_inside = isalnum((unsigned char)c[-1]) || c[-1] == '_';
            if (!is_inside && strncmp(c, word, length) == 0 && c[length] == '(') return 1;
        }
    }
    return 0;
}

static int fail(program *p, const char *format, const char *what) {
    free(p->log);
    if (asprintf(&p->log, format, what) < 0) p->log = strdup("");
    return COMPILATION;
}

FAKE_EXPORT int nvrtcCompileProgram(program *p, int n_options, const char *const *options) {
    p->is_compiled = 1;
    int has_arch = 0;
    for (int i = 0; i < n_options; i++) {
        if (strncmp(options[i], "--gpu-architecture=sm_", 22) == 0) has_arch = 1;
        else if (strncmp(options[i], "--", 2) != 0) return BAD_OPTION;
    }
    if (!has_arch) return BAD_OPTION;
    char *error = strstr(p->source, "#error ");
    if (error) {
        char line[200];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(error + 7, "\n"), error + 7);
        return fail(p,
                    "kernel.cu(1): error: #error directive: %s\n\n"
                    "1 error detected in the compilation of \"kernel.cu\".\n",
                    line);
    }
    size_t bytes = 64, log_bytes = 64;
    for (int i = 0; i < p->n_names; i++) bytes += strlen(p->names[i]) + 40, log_bytes += strlen(p->names[i]) + 400;
    p->image = calloc(1, bytes);
    free(p->log);
    p->log = calloc(1, log_bytes);
    char *at = p->image + sprintf(p->image, "\177ELF fake\n"), *log = p->log;
    log += sprintf(log, "ptxas info    : 0 bytes gmem\n");
    for (int i = 0; i < p->n_names; i++) {
        size_t length = strcspn(p->names[i], "<");
        if (!has_kernel(p->source, p->names[i], length)) {
            return fail(p, "kernel.cu: error: name expression \"%s\" is not a kernel\n", p->names[i]);
        }
        // Templates are mangled after a fashion; what is not a template here is `extern "C"`.
        char *name, prefix[32] = "";
        if (p->names[i][length] == '<') snprintf(prefix, sizeof prefix, "_Z%zu", length);
        if (asprintf(&name, "%s%s", prefix, p->names[i]) < 0) return OUT_OF_MEMORY;
        for (char *c = name; *c; c++) {
            if (!isalnum((unsigned char)*c)) *c = '_';
        }
        p->lowered[i] = name;
        at += sprintf(at, "%s\n", name);
        log += sprintf(log, "ptxas info    : Compiling entry function '%s' for 'sm_90'\n", name);
        log += sprintf(log, "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n");
        log += sprintf(log, "ptxas info    : Used %d registers, used 1 barriers, %d bytes smem\n", 32 + i, 1024 * i);
    }
    p->image_bytes = (size_t)(at - p->image) + 1;
    return OK;
}

FAKE_EXPORT int nvrtcGetLoweredName(program *p, const char *name, const char **lowered) {
    if (!p->image_bytes) return NAME_BEFORE;
    for (int i = 0; i < p->n_names; i++) {
        if (strcmp(p->names[i], name) == 0) {
            *lowered = p->lowered[i];
            return OK;
        }
    }
    return NAME_UNKNOWN;
}

FAKE_EXPORT int nvrtcGetCUBINSize(program *p, size_t *bytes) {
    *bytes = p->image_bytes;
    return p->image_bytes ? OK : BAD_PROGRAM;
}

FAKE_EXPORT int nvrtcGetCUBIN(program *p, char *to) {
    memcpy(to, p->image, p->image_bytes);
    return OK;
}

FAKE_EXPORT int nvrtcGetProgramLogSize(program *p, size_t *bytes) {
    *bytes = strlen(p->log) + 1;
    return OK;
}

FAKE_EXPORT int nvrtcGetProgramLog(program *p, char *to) {
    strcpy(to, p->log);
    return OK;
}
