// Coroutines: functions that can be left in the middle and entered again.
#pragma once

#include <functional>
#include <memory>

#ifndef __x86_64__
#include <ucontext.h>
#endif

#ifdef __x86_64__
// Saves the registers that the System V ABI keeps across calls, puts the stack pointer where `from` says, takes up `to`.
extern "C" void locp_switch(void** from, void* to);
asm(R"(
.text
.globl locp_switch
.type locp_switch, @function
locp_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size locp_switch, .-locp_switch
)");
#endif

class Coroutine {
public:
    // Prepares to run `body` from its beginning; it must have ended before that happens again.
    void start(std::function<void()> body) {
        body_ = std::move(body);
        if (!stack_) {
            stack_.reset(new unsigned char[STACK]);
        }
#ifdef __x86_64__
        // As if `begin` had been left before its first instruction: six registers, then where to return to, at an
        // address that the ABI asks for on entry to a function (eight bytes past a multiple of sixteen).
        void** top = (void**)((uintptr_t)(stack_.get() + STACK) / 16 * 16);
        *--top = nullptr;
        *--top = (void*)&begin;
        for (int i = 0; i < 6; i++) {
            *--top = nullptr;
        }
        inside_ = top;
#else
        getcontext(&inside_);
        inside_.uc_stack.ss_sp = stack_.get();
        inside_.uc_stack.ss_size = STACK;
        inside_.uc_link = nullptr;
        makecontext(&inside_, &begin, 0);
#endif
    }

    // Runs it until it leaves or ends.
    void enter() {
        current() = this;
        change(outside_, inside_);
    }

    // Goes back to where it was entered.
    void leave() { change(inside_, outside_); }

private:
#ifdef __x86_64__
    using Place = void*;
    static void change(Place& from, Place& to) { locp_switch(&from, to); }
#else
    using Place = ucontext_t;
    static void change(Place& from, Place& to) { swapcontext(&from, &to); }
#endif

    static const size_t STACK = 64 << 10;

    static Coroutine*& current() {
        static Coroutine* one = nullptr;
        return one;
    }

    static void begin() {
        Coroutine* self = current();
        self->body_();
        self->leave();
    }

    std::function<void()> body_;
    std::unique_ptr<unsigned char[]> stack_;
    Place inside_{}, outside_{};
};
