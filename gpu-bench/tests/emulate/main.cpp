// Runs launches that come on standard input, and writes what their operands hold afterwards to standard output.
//
// A launch is its kernel's name with template arguments, a line feed, then 64-bit words: blocks, threads of a block, bytes
// of dynamic shared memory, whether the last warp goes first, arguments. Each argument is a word (0 a value, 1 an operand,
// 2 a null pointer), its length in bytes, and so many bytes. The answer to a launch is the bytes of its operands, in order.
// The kernels' sources and the table of them (`kernels.inc`) are written by the test.

#define LOCP_EMULATE
#include "sources.cu"

#include <iostream>
#include <map>
#include <string>
#include <type_traits>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)
#define ASAN_UNPOISON_MEMORY_REGION(p, n)
#endif

namespace {

using emulator::POISON;

// Bytes between two walls that nobody may touch: with the sanitizer an access ends the program, without it a write is
// found afterwards and a read brings values that are no number.
class Walled {
public:
    explicit Walled(size_t bytes) : bytes_(bytes), all_(2 * WALL + bytes + ALIGN, POISON) {
        begin_ = (unsigned char*)((uintptr_t)(all_.data() + WALL + ALIGN - 1) / ALIGN * ALIGN);
        wall(true);
    }
    ~Walled() { wall(false); }
    Walled(const Walled&) = delete;

    unsigned char* begin() { return begin_; }

    void check() {
        wall(false);
        for (unsigned char* p = all_.data(); p < all_.data() + all_.size(); p++) {
            if ((p < begin_ || p >= begin_ + bytes_) && *p != POISON) {
                emulator::fail("a write outside of an operand");
            }
        }
        wall(true);
    }

private:
    static const size_t WALL = 1 << 18, ALIGN = 256;

    void wall(bool is_up) {
        unsigned char* ends[] = {all_.data(), begin_, begin_ + bytes_, all_.data() + all_.size()};
        for (int side = 0; side < 2; side++) {
            [[maybe_unused]] size_t n = ends[2 * side + 1] - ends[2 * side];
            if (is_up) {
                ASAN_POISON_MEMORY_REGION(ends[2 * side], n);
            } else {
                ASAN_UNPOISON_MEMORY_REGION(ends[2 * side], n);
            }
        }
    }

    size_t bytes_;
    std::vector<unsigned char> all_;
    unsigned char* begin_;
};

struct Argument {
    uint64_t kind = 0;
    std::vector<unsigned char> bytes;
    std::unique_ptr<Walled> operand;
};

using Arguments = std::vector<Argument>;
using Run = std::function<void(Arguments&)>;

// The argument of a parameter of this type.
template <typename T>
T argument(Argument& from) {
    if constexpr (std::is_pointer_v<T>) {
        if (from.kind == 0) {
            emulator::fail("a value where a pointer is expected");
        }
        return from.kind == 1 ? (T)from.operand->begin() : nullptr;
    } else {
        if (from.kind != 0 || from.bytes.size() != sizeof(T)) {
            emulator::fail("an argument whose size is not that of its parameter");
        }
        T value;
        memcpy(&value, from.bytes.data(), sizeof(T));
        return value;
    }
}

template <typename... P, size_t... I>
Run run(void (*kernel)(P...), std::index_sequence<I...>) {
    return [kernel](Arguments& arguments) {
        if (arguments.size() != sizeof...(P)) {
            emulator::fail("as many arguments as there are parameters were expected");
        }
        kernel(argument<P>(arguments[I])...);
    };
}

template <typename... P>
Run run(void (*kernel)(P...)) {
    return run(kernel, std::index_sequence_for<P...>());
}

const std::map<std::string, Run> KERNELS = {
#define KERNEL(...) {#__VA_ARGS__, run(__VA_ARGS__)},
#include "kernels.inc"
};

void read(void* to, size_t bytes) {
    if (!std::cin.read((char*)to, bytes)) {
        emulator::fail("a launch that ends early");
    }
}

uint64_t word() {
    uint64_t value = 0;
    read(&value, sizeof value);
    return value;
}

} // namespace

int main() {
    std::ios::sync_with_stdio(false);
    emulator::Block block;
    emulator::block = &block;
    std::string name;
    while (std::getline(std::cin, name)) {
        auto kernel = KERNELS.find(name);
        if (kernel == KERNELS.end()) {
            emulator::fail(("no kernel is called " + name).c_str());
        }
        unsigned blocks = word();
        block.grid = {blocks, 1, 1};
        block.size = {(unsigned)word(), 1, 1};
        block.shared_bytes = word();
        bool is_backward = word();
        Arguments arguments(word());
        for (Argument& argument : arguments) {
            argument.kind = word();
            argument.bytes.resize(word());
            read(argument.bytes.data(), argument.bytes.size());
            if (argument.kind == 1) {
                argument.operand = std::make_unique<Walled>(argument.bytes.size());
                memcpy(argument.operand->begin(), argument.bytes.data(), argument.bytes.size());
            }
        }
        Walled shared(block.shared_bytes);
        block.shared = shared.begin();
        for (block.index.x = 0; block.index.x < blocks; block.index.x++) {
            memset(block.shared, POISON, block.shared_bytes);
            emulator::run_block([&] { kernel->second(arguments); }, is_backward);
        }
        shared.check();
        for (Argument& argument : arguments) {
            if (argument.kind == 1) {
                argument.operand->check();
                std::cout.write((const char*)argument.operand->begin(), argument.bytes.size());
            }
        }
        std::cout.flush();
    }
}
