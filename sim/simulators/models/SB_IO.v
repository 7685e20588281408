// A pin of the iCE40, as boards use it: an input, or an output that is always driven.
module SB_IO (
    inout  PACKAGE_PIN,
    input  LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, OUTPUT_ENABLE, D_OUT_0, D_OUT_1,
    output D_IN_0, D_IN_1
);
    parameter [5:0] PIN_TYPE = 6'b000000;
    parameter [0:0] PULLUP = 1'b0;
    parameter [0:0] NEG_TRIGGER = 1'b0;
    parameter IO_STANDARD = "SB_LVCMOS";
    assign D_IN_0 = PACKAGE_PIN;
    assign D_IN_1 = PACKAGE_PIN;
    generate
        if (PIN_TYPE[5:4] != 0) assign PACKAGE_PIN = D_OUT_0;
    endgenerate
endmodule
