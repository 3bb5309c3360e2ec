// Changing stacks: the registers that a function must keep are pushed, the stack pointer is exchanged, and they are popped.
#include "context_switch.hpp"

namespace detrack::emulator {

#if defined(__x86_64__)

// void detrack_switch_stacks(void** save, void* load), System V calling convention.
extern "C" void detrack_switch_stacks(void** save, void* load);
asm(R"(
.text
.type detrack_switch_stacks, @function
detrack_switch_stacks:
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
.size detrack_switch_stacks, .-detrack_switch_stacks
)");

Fiber::Fiber(void (*entry)()) : stack_(new unsigned char[kStackBytes]) {
  auto top = reinterpret_cast<std::uintptr_t>(stack_.get() + kStackBytes) / 16 * 16;
  auto* words = reinterpret_cast<void**>(top);
  words[-1] = nullptr;                         // entry's return address, were it to return: aligns the stack as a call does
  words[-2] = reinterpret_cast<void*>(entry);  // where the switch returns to; six registers below
  for (int i = 3; i <= 8; ++i) words[-i] = nullptr;
  stack_pointer_ = words - 8;
}

void Fiber::switch_from(Fiber& from) {
  detrack_switch_stacks(&from.stack_pointer_, stack_pointer_);
}

#else

Fiber::Fiber(void (*entry)()) : stack_(new unsigned char[kStackBytes]) {
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_.get();
  context_.uc_stack.ss_size = kStackBytes;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
}

void Fiber::switch_from(Fiber& from) {
  swapcontext(&from.context_, &context_);
}

#endif

}  // namespace detrack::emulator
