// Block RAM of Gowin's GW1N and GW2A, as far as this project uses it: one write port (A) and one read
// port (B) of the same width, 9, 18 or 36 bits, without output register, content 0 at start.
// Own model, written from the public documentation of the device (Gowin UG285, "BSRAM & SSRAM User
// Guide") and from how Yosys wires its ports; not vendor code.
// A word that is read in the cycle in which it is written is undefined in the device; here the read
// gives the complement of the old word, so that a design relying on either word fails.
module SDPX9B (
    input  CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB,
    input  [13:0] ADA, ADB,
    input  [35:0] DI,
    input  [2:0] BLKSELA, BLKSELB,
    output [35:0] DO
);
    parameter READ_MODE = 1'b0;
    parameter BIT_WIDTH_0 = 36;
    parameter BIT_WIDTH_1 = 36;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";

    localparam SHIFT = BIT_WIDTH_0 == 36 ? 5 : BIT_WIDTH_0 == 18 ? 4 : 3;
    localparam WORDS = 16384 >> SHIFT;

    // Byte enables of the wide forms lie on the lowest address bits.
    wire [3:0] bytes = BIT_WIDTH_0 == 36 ? ADA[3:0] : BIT_WIDTH_0 == 18 ? {2'b0, ADA[1:0]} : 4'b0001;
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
        if (write)
            for (i = 0; i < BIT_WIDTH_0; i = i + 1)
                if (bytes[i / 9]) memory[to][i] <= DI[i];

    assign DO = word;
endmodule
