// A model of the bench as a process without VPI and cocotb: plays play.bin once for each line on
// its standard input and answers with status and position of the player.

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
    top->record_on = 0;
    top->eval();
    char line[16];
    while (!context->gotFinish() && fgets(line, sizeof line, stdin)) {
        top->play_go = !top->play_go;
        while (top->play_ack != top->play_go && !context->gotFinish()) {
            context->time(edge);
            edge += half;
            top->clk = !top->clk;
            top->eval();
        }
        printf("%u %u\n", static_cast<unsigned>(top->play_status),
               static_cast<unsigned>(top->play_position));
        fflush(stdout);
    }
    top->final();
    return 0;
}
