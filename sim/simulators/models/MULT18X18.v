// Multiplier of Gowin's GW1N and GW2A, as far as this project uses it: parallel inputs, each of operand,
// pipeline and output registers on or off, synchronous reset; registers start at 0.
// Own model, written from the public documentation of the device (Gowin UG287, "DSP User Guide") and
// the port list in Yosys; not vendor code.
module MULT18X18 (
    input  [17:0] A, SIA, B, SIB,
    input  ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [35:0] DOUT,
    output [17:0] SOA, SOB
);
    parameter AREG = 1'b0;
    parameter BREG = 1'b0;
    parameter OUT_REG = 1'b0;
    parameter PIPE_REG = 1'b0;
    parameter ASIGN_REG = 1'b0;
    parameter BSIGN_REG = 1'b0;
    parameter SOA_REG = 1'b0;
    parameter MULT_RESET_MODE = "SYNC";

    // One bit more tells the sign, so that one signed product serves all cases.
    wire signed [18:0] wide_a = {ASIGN & A[17], A}, wide_b = {BSIGN & B[17], B};
    reg signed [18:0] held_a = 0, held_b = 0;
    reg signed [37:0] middle = 0, out = 0;
    wire signed [18:0] left = AREG ? held_a : wide_a;
    wire signed [18:0] right = BREG ? held_b : wide_b;
    wire signed [37:0] product = left * right;
    wire signed [37:0] piped = PIPE_REG ? middle : product;
    wire signed [37:0] result = OUT_REG ? out : piped;

    always @(posedge CLK)
        if (RESET) begin
            held_a <= 0;
            held_b <= 0;
            middle <= 0;
            out <= 0;
        end else if (CE) begin
            held_a <= wide_a;
            held_b <= wide_b;
            middle <= product;
            out <= piped;
        end

    assign DOUT = result[35:0];
    assign SOA = held_a[17:0];
    assign SOB = held_b[17:0];
endmodule
