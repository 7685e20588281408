// Block RAM of Gowin's GW1N and GW2A, as far as this project uses it: one write port (A) and one read
// port (B) of the same width, 1, 2 or 4 bits, without output register, content 0 at start.
// Own model, written from the public documentation of the device (Gowin UG285, "BSRAM & SSRAM User
// Guide") and from how Yosys wires its ports; not vendor code.
// A word that is read in the cycle in which it is written is undefined in the device; here the read
// gives the complement of the old word, so that a design relying on either word fails.
module SDPB (
    input  CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input  [13:0] ADA, ADB,
    input  [31:0] DI,
    input  [2:0] BLKSELA, BLKSELB,
    output [31:0] DO
);
    parameter READ_MODE = 1'b0;
    parameter BIT_WIDTH_0 = 32;
    parameter BIT_WIDTH_1 = 32;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";

    localparam SHIFT = BIT_WIDTH_0 == 4 ? 2 : BIT_WIDTH_0 == 2 ? 1 : 0;
    localparam WORDS = 16384 >> SHIFT;

    wire write = CEA & BLKSELA == BLK_SEL_0;
    wire [13:0] from = ADB >> SHIFT, to = ADA >> SHIFT;

    reg [BIT_WIDTH_0-1:0] memory [0:WORDS-1];
    reg [BIT_WIDTH_0-1:0] word = 0;
    integer i;
    initial for (i = 0; i < WORDS; i = i + 1) memory[i] = 0;

    always @(posedge CLKB) begin
        if (CEB) word <= write && from == to ? ~memory[from] : memory[from];
        if (RESETB) word <= 0;
    end
    always @(posedge CLKA)
        if (write) memory[to] <= DI[BIT_WIDTH_0-1:0];

    assign DO = word;
endmodule
