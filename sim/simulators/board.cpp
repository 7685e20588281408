// A board on the line: runs the model of a board's top level and moves bits between its serial pins
// and a terminal. Bytes come and go one bit at a time, as many clock cycles each as on the board;
// no Python takes part.
//
// Arguments: file descriptor of the terminal's master side, clock cycles a bit. The program ends
// when its standard input is closed, and says then how far it came.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint64_t kAwake = 400000;  // cycles without a byte after which the model slows down
constexpr uint64_t kNap = 4000;      // cycles between two naps then
constexpr int kNapMs = 20;

// Bytes of the terminal as levels of the receive pin.
class Sender {
  public:
    Sender(int fd, unsigned divisor) : fd_(fd), divisor_(divisor) {}

    // Called every cycle; returns the level of the line.
    bool step() {
        if (timer_ != 0) {
            --timer_;
            return frame_ & 1;
        }
        if (left_ != 0) {
            frame_ >>= 1;
            --left_;
            timer_ = divisor_ - 1;
            return frame_ & 1;
        }
        if (wait_ != 0) {
            --wait_;
            return true;
        }
        if (at_ == size_) {
            const ssize_t got = read(fd_, bytes_, sizeof bytes_);
            size_ = got > 0 ? got : 0;
            at_ = 0;
            if (size_ == 0) {
                wait_ = 10 * divisor_;
                return true;
            }
        }
        frame_ = (bytes_[at_++] << 1) | 0x200;  // start bit, data, stop bit
        left_ = 9;
        timer_ = divisor_ - 1;
        ++count;
        return frame_ & 1;
    }
    bool idle() const { return timer_ == 0 && left_ == 0 && at_ == size_; }
    void hurry() { wait_ = 0; }

    uint64_t count = 0;

  private:
    const int fd_;
    const unsigned divisor_;
    unsigned timer_ = 0, left_ = 0, wait_ = 1000, frame_ = 1;  // first the board starts
    unsigned char bytes_[4096];
    ssize_t at_ = 0, size_ = 0;
};

// Levels of the transmit pin as bytes for the terminal.
class Taker {
  public:
    Taker(int fd, unsigned divisor) : fd_(fd), divisor_(divisor) {}

    void step(bool level) {
        if (timer_ != 0) {
            --timer_;
            return;
        }
        if (left_ == 0) {
            if (level) return;
            left_ = 9;
            timer_ = divisor_ + divisor_ / 2 - 1;  // to the middle of the first data bit
            return;
        }
        timer_ = divisor_ - 1;
        if (--left_ != 0) {
            byte_ = (byte_ >> 1) | (level ? 0x80 : 0);
            return;
        }
        timer_ = 0;
        if (level) {
            // A full terminal loses bytes, as a line does that nobody reads.
            if (write(fd_, &byte_, 1) < 0) ++lost;
            ++count;
        } else {
            ++broken;
        }
    }

    uint64_t count = 0, lost = 0, broken = 0;

  private:
    const int fd_;
    const unsigned divisor_;
    unsigned timer_ = 0, left_ = 0;
    unsigned char byte_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const int fd = atoi(argv[1]);
    const unsigned divisor = atoi(argv[2]);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    VerilatedContext *const context = Verilated::defaultContextp();
    std::unique_ptr<Vtop> top(new Vtop(context, ""));
    Sender sender(fd, divisor);
    Taker taker(fd, divisor);
    top->clk = 0;
    top->rx = 1;
    top->eval();
    uint64_t cycle = 0, active = 0, seen = 0;
    for (;;) {
        for (unsigned i = 0; i < kNap; ++i) {
            top->rx = sender.step();
            top->clk = 1;
            top->eval();
            taker.step(top->tx);
            top->clk = 0;
            top->eval();
        }
        cycle += kNap;
        if (sender.count + taker.count != seen || !sender.idle()) {
            seen = sender.count + taker.count;
            active = cycle;
            if (cycle % (kNap * 256) != 0) continue;
        }
        const bool asleep = cycle - active > kAwake;
        pollfd both[2] = {{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}};
        poll(both, 2, asleep ? kNapMs : 0);
        if (both[1].revents & POLLIN) {
            sender.hurry();
            active = cycle;
        }
        char end;
        if (both[0].revents && read(STDIN_FILENO, &end, 1) <= 0) break;
    }
    printf("{\"cycles\": %llu, \"taken\": %llu, \"sent\": %llu, \"lost\": %llu, \"broken\": %llu}\n",
           static_cast<unsigned long long>(cycle), static_cast<unsigned long long>(sender.count),
           static_cast<unsigned long long>(taker.count),
           static_cast<unsigned long long>(taker.lost),
           static_cast<unsigned long long>(taker.broken));
    top->final();
    return 0;
}
