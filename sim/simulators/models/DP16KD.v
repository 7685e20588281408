// Block RAM of the ECP5, as far as this project uses it: one write port (A) and one read port (B) on
// one clock, widths 1, 2, 4, 9, 18 and 36 bits, with or without output register, content 0 at start.
// Own model, written from the public documentation of the device (Lattice TN1264, "ECP5 and ECP5-5G
// Memory Usage Guide") and from how Yosys and nextpnr wire the 36-bit form; not vendor code.
// 36 bits: port A's data pins are the low half, port B's the high half, on both sides.
// A word that is read in the cycle in which it is written is undefined in the device; here the read
// gives the complement of the old word, so that a design relying on either word fails.
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
          DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
           DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
          DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
           DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";

    localparam SHIFT = DATA_WIDTH_A == 36 ? 5 : DATA_WIDTH_A == 18 ? 4 : DATA_WIDTH_A == 9 ? 3 :
                       DATA_WIDTH_A == 4 ? 2 : DATA_WIDTH_A == 2 ? 1 : 0;
    localparam WORDS = 16384 >> SHIFT;

    wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
                       ADA1, ADA0};
    wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
                       ADB1, ADB0};
    wire [35:0] di = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
                      DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0, DIA17, DIA16, DIA15, DIA14, DIA13,
                      DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
                      DIA0};
    // Byte enables of the wide forms lie on the lowest address bits.
    wire [3:0] bytes = DATA_WIDTH_A == 36 ? ada[3:0] : DATA_WIDTH_A == 18 ? {2'b0, ada[1:0]} :
                       4'b0001;
    wire write = WEA & CEA & ~|{CSA2, CSA1, CSA0};
    wire [13:0] from = adb >> SHIFT, to = ada >> SHIFT;

    reg [DATA_WIDTH_A-1:0] memory [0:WORDS-1];
    reg [DATA_WIDTH_A-1:0] word = 0, held = 0;
    integer i;
    initial for (i = 0; i < WORDS; i = i + 1) memory[i] = 0;

    always @(posedge CLKB) begin
        if (CEB) word <= write && from == to ? ~memory[from] : memory[from];
        if (CEB & OCEB) held <= word;
        if (RSTB) held <= 0;
    end
    always @(posedge CLKA)
        if (write)
            for (i = 0; i < DATA_WIDTH_A; i = i + 1)
                if (bytes[i / 9]) memory[to][i] <= di[i];

    wire [35:0] out = REGMODE_B == "OUTREG" ? held : word;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
            DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? out[35:18] : out[17:0];
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
            DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? out[17:0] : 18'd0;
endmodule
