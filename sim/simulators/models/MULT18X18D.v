// Multiplier of the ECP5, as far as this project uses it: parallel inputs, one clock (CLK0, CE0), each
// of operand, pipeline and output registers on or off; registers start at 0.
// Own model, written from the public documentation of the device (Lattice TN1267, "ECP5 and ECP5-5G
// sysDSP Usage Guide") and the port list in Yosys; not vendor code.
module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input CLK3, CLK2, CLK1, CLK0, CE3, CE2, CE1, CE0, RST3, RST2, RST1, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
           P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_OUTPUT_CLK = "NONE";
    parameter SOURCEB_MODE = "B_SHIFT";
    parameter RESETMODE = "SYNC";
    parameter GSR = "ENABLED";

    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    // One bit more tells the sign, so that one signed product serves all cases.
    wire signed [18:0] wide_a = {SIGNEDA & a[17], a}, wide_b = {SIGNEDB & b[17], b};
    reg signed [18:0] held_a = 0, held_b = 0;
    reg signed [37:0] middle = 0, out = 0;
    wire signed [18:0] left = REG_INPUTA_CLK == "NONE" ? wide_a : held_a;
    wire signed [18:0] right = REG_INPUTB_CLK == "NONE" ? wide_b : held_b;
    wire signed [37:0] product = left * right;
    wire signed [37:0] piped = REG_PIPELINE_CLK == "NONE" ? product : middle;
    wire signed [37:0] result = REG_OUTPUT_CLK == "NONE" ? piped : out;

    always @(posedge CLK0)
        if (CE0) begin
            held_a <= RST0 ? 0 : wide_a;
            held_b <= RST0 ? 0 : wide_b;
            middle <= RST0 ? 0 : product;
            out <= RST0 ? 0 : piped;
        end

    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
            P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} =
            result[35:0];
endmodule
