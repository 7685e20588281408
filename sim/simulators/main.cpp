// Simulator main for cocotb on a Verilator model.
//
// The program makes the clock and visits VPI only when there is a reason: the top level's `wake`
// changed, a timer of cocotb is due, or cocotb asked for the next time step. Between two visits
// runs the bare model. With "--visit-edges" every clock edge is a visit, for benches that wait for
// edges of other signals; that is the speed of cocotb's own main.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"

#if VM_TRACE
#include <verilated_vcd_c.h>
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

constexpr uint64_t kHalfPeriod = APICAL_PERIOD / 2;

VerilatedContext *context;
Vtop *top;
#if VM_TRACE
VerilatedVcdC *waves = nullptr;
#endif

void settle_value_callbacks() {
    while (VerilatedVpi::callValueCbs()) {
    }
}

// What cocotb may do in one time step, in the order of IEEE 1800-2012 4.4.
void visit() {
    do {
        do {
            top->eval_step();
            VerilatedVpi::clearEvalNeeded();
            VerilatedVpi::doInertialPuts();
            settle_value_callbacks();
        } while (VerilatedVpi::evalNeeded());
        VerilatedVpi::callCbs(cbReadWriteSynch);
        VerilatedVpi::doInertialPuts();
        settle_value_callbacks();
    } while (VerilatedVpi::evalNeeded());
    top->eval_end_step();
    VerilatedVpi::callCbs(cbReadOnlySynch);
}

void dump() {
#if VM_TRACE
    if (waves) waves->dump(context->time());
#endif
}

void wrap_up() {
    VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_TRACE
    if (waves) waves->close();
#endif
}

}  // namespace

int main(int argc, char **argv) {
    bool every_edge = false;
    const char *wave_file = nullptr;
    for (int i = 1; i < argc; ++i) {
        if (!strcmp(argv[i], "--visit-edges")) every_edge = true;
        if (!strcmp(argv[i], "--trace-file") && i + 1 < argc) wave_file = argv[++i];
    }
    // The process-wide context: the VPI functions of the runtime look at no other.
    context = Verilated::defaultContextp();
    Verilated::threadContextp(context);
    context->commandArgs(argc, argv);
    context->fatalOnVpiError(false);  // cocotb probes for names that need not exist
    std::unique_ptr<Vtop> owner(new Vtop(context, ""));
    top = owner.get();
#if VM_TRACE
    context->traceEverOn(true);
    if (wave_file) {
        waves = new VerilatedVcdC;
        top->trace(waves, 99);
        waves->open(wave_file);
    }
#else
    if (wave_file) {
        fprintf(stderr, "this simulator was built without waves\n");
        return 1;
    }
#endif
    vlog_startup_routines_bootstrap();
    top->clk = 0;
    VerilatedVpi::callCbs(cbStartOfSimulation);
    settle_value_callbacks();
    visit();
    dump();

    uint64_t edge = kHalfPeriod;
    while (!context->gotFinish()) {
        // Only a visit can set a timer or ask for the next time step.
        const uint64_t deadline = VerilatedVpi::cbNextDeadline();
        const bool next_step = VerilatedVpi::hasCbs(cbNextSimTime);
        const auto seen = top->wake;
        bool due = every_edge || next_step || deadline <= edge;
        while (!due) {
            context->time(edge);
            edge += kHalfPeriod;
            top->clk = !top->clk;
            top->eval();
            if (top->wake != seen) break;
            dump();
            due = deadline <= edge || context->gotFinish();
        }
        if (due && !context->gotFinish()) {
            const uint64_t now = std::min(deadline, edge);
            context->time(now);
            VerilatedVpi::callCbs(cbNextSimTime);
            settle_value_callbacks();
            VerilatedVpi::callTimedCbs();
            settle_value_callbacks();
            if (now == edge) {
                edge += kHalfPeriod;
                top->clk = !top->clk;
            }
        }
        visit();
        dump();
    }
    top->final();
    wrap_up();
    // Python's threads may still hold parts of the model: leave without tearing it down.
    owner.release();
    return context->errorCount() > 0 ? 1 : 0;
}
