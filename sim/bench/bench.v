// The parts every bench has: a player of host commands and a recorder of trace records. Both talk
// to Python through files in the working directory, because a $fread or $fwrite costs the simulator
// tens of nanoseconds where a value passed through VPI costs that much for every few bits. Python
// is woken by a toggle, in the time step in which the file it is to read was closed.

// Plays the commands of play.bin (64 bits each, most significant byte first), one request a cycle:
//
//   bits 63:60  kind     bits 55:32  address     bits 31:0  data
//   0  write    `data` to `address`
//   1  read     `address`; the answer is appended to answers.bin
//   2  wait     read `address` again and again until the answer is >= data (unsigned)
//   3  match    the same until the answer is == data
//   4  idle     let `data` cycles pass
//   5  quiet    let `data` cycles pass, then wait until the engine is not busy
//   6  reset    hold the reset for `data` cycles
//
// A change of `go` starts, `ack` follows when everything was played and answered.
module player #(parameter GAP = 4) (
    input             clk,
    input             go,
    input      [31:0] limit,        // give up when one command takes so many cycles; 0: never
    output reg        ack,
    output reg  [1:0] status,       // 0 done, 1 gave up, 2 more answers than reads
    output reg [31:0] position,     // commands begun
    output reg [31:0] last,         // the last answer seen
    output reg [63:0] cycle,
    output reg        flush,        // the recorders close their files in this cycle
    output reg        rst,
    output reg        host_valid,
    output reg        host_write,
    output reg [23:0] host_address,
    output reg [31:0] host_write_data,
    input             host_ready,
    input             host_read_valid,
    input      [31:0] host_read_data,
    input             busy
);
    localparam REST = 0, FETCH = 1, DRAIN = 2, POLL = 3, GAPS = 4, IDLE = 5, QUIET = 6, END = 7,
               FINISH = 8, CLEAR = 9;

    reg [3:0]  state;
    reg [63:0] command;
    reg [31:0] count, still, outstanding;
    reg        free, satisfied;
    integer    commands, answers, bytes;

    initial begin
        ack = 0; flush = 0; status = 0; position = 0; last = 0; cycle = 0; rst = 0;
        host_valid = 0; host_write = 0; host_address = 0; host_write_data = 0;
        state = REST; command = 0; count = 0; still = 0; outstanding = 0;
        commands = 0; answers = 0;
    end

    // `state`, `command` and the counters belong to this block alone and are assigned at once;
    // everything that leaves the module is assigned with the clock.
    always @(posedge clk) begin
        cycle <= cycle + 1;
        free = !host_valid || host_ready;
        satisfied = 0;
        still = still + 1;
        if (free) host_valid <= 0;

        if (host_read_valid) begin
            last <= host_read_data;
            if (outstanding == 0) begin
                if (state != REST) status <= 2;
            end else begin
                outstanding = outstanding - 1;
                if (state == POLL)
                    satisfied = command[60] ? host_read_data == command[31:0]
                                            : host_read_data >= command[31:0];
                else
                    $fwrite(answers, "%u", host_read_data);
            end
        end

        case (state)
        REST: if (go != ack) begin
            commands = $fopen("play.bin", "rb");
            answers = $fopen("answers.bin", "wb");
            position <= 0;
            status <= 0;
            still = 0;
            outstanding = 0;
            state = FETCH;
        end
        FETCH: if (free) begin
            bytes = $fread(command, commands);
            if (bytes != 8) state = END;
            else begin
                position <= position + 1;
                still = 0;
                case (command[63:60])
                0, 1: begin
                    host_valid <= 1;
                    host_write <= !command[60];
                    host_address <= command[55:32];
                    host_write_data <= command[31:0];
                    if (command[60]) outstanding = outstanding + 1;
                end
                2, 3: state = DRAIN;
                4, 5: begin
                    count = command[31:0];
                    state = command[60] ? QUIET : IDLE;
                end
                6: state = CLEAR;
                default: state = END;
                endcase
            end
        end
        DRAIN: if (free && outstanding == 0) begin   // so that the next answer is that of the poll
            host_valid <= 1;
            host_write <= 0;
            host_address <= command[55:32];
            outstanding = 1;
            state = POLL;
        end
        POLL: if (outstanding == 0) begin
            count = GAP;
            state = satisfied ? FETCH : GAPS;
        end
        GAPS: begin
            count = count - 1;
            if (count == 0) state = DRAIN;
        end
        CLEAR: if (free && outstanding == 0) begin   // or the answers on their way were lost
            count = command[31:0];
            rst <= 1;
            state = IDLE;
        end
        IDLE: begin
            still = 0;
            if (count <= 1) begin
                rst <= 0;
                state = FETCH;
            end
            count = count - 1;
        end
        QUIET: begin
            if (count == 0) begin
                if (!busy) state = FETCH;
            end else count = count - 1;
        end
        END: if (free && outstanding == 0) begin
            flush <= 1;
            state = FINISH;
        end
        default: begin
            flush <= 0;
            $fclose(commands);
            $fclose(answers);
            ack <= go;
            state = REST;
        end
        endcase

        // Counted from the last command begun, so that an endless poll ends as well.
        if (limit != 0 && state != REST && state != FINISH && still >= limit) begin
            status <= 1;
            host_valid <= 0;
            outstanding = 0;
            rst <= 0;
            flush <= 1;
            state = FINISH;
        end
    end
endmodule

// Writes one record a cycle in which `valid` holds: WIDTH bits, a multiple of 32, low word first.
// After RECORDS of them, and at a flush, the file is closed for Python to take; the next record
// begins a new one. Python takes it before the simulator goes on, so nothing has to be held back.
module recorder #(parameter WIDTH = 32, parameter RECORDS = 65536, parameter FILE = "trace.bin") (
    input             clk,
    input             on,
    input             valid,
    input [WIDTH-1:0] record,
    input             flush,
    output reg        full
);
    integer file, count;

    initial begin full = 0; file = 0; count = 0; end

    always @(posedge clk) begin
        if (on && valid) begin
            if (count == 0) file = $fopen(FILE, "wb");
            $fwrite(file, "%u", record);
            count = count + 1;
        end
        if (count != 0 && (flush || count == RECORDS)) begin
            $fclose(file);
            count = 0;
            if (!flush) full <= !full;
        end
    end
endmodule
