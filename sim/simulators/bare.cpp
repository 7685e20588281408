// A model of the same bench with neither VPI nor cocotb: plays play.bin and tells how long it took.
// The measure for what the road through cocotb costs.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

int main(int argc, char **argv) {
    VerilatedContext *const context = Verilated::defaultContextp();
    context->commandArgs(argc, argv);
    std::unique_ptr<Vtop> top(new Vtop(context, ""));
    const uint64_t half = APICAL_PERIOD / 2;
    uint64_t edge = half;
    top->clk = 0;
    top->play_go = 0;
    top->play_limit = argc > 1 ? strtoul(argv[1], nullptr, 10) : 0;
    top->record_on = argc > 2 && argv[2][0] == '1';
    top->eval();
    top->play_go = 1;
    const auto start = std::chrono::steady_clock::now();
    while (!top->play_ack && !context->gotFinish()) {
        context->time(edge);
        edge += half;
        top->clk = !top->clk;
        top->eval();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    printf("{\"cycles\": %llu, \"seconds\": %.6f, \"status\": %u, \"position\": %u}\n",
           static_cast<unsigned long long>(top->cycle), seconds.count(),
           static_cast<unsigned>(top->play_status), static_cast<unsigned>(top->play_position));
    fflush(stdout);
    top->final();
    return 0;
}
