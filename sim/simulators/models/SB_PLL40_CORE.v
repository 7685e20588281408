// The PLL of the iCE40 behind another pin: the clock of the simulation is the one that it makes.
module SB_PLL40_CORE (
    input  REFERENCECLK,
    output PLLOUTCORE, PLLOUTGLOBAL,
    input  EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
    input  [7:0] DYNAMICDELAY,
    output LOCK, SDO
);
    parameter FEEDBACK_PATH = "SIMPLE";
    parameter PLLOUT_SELECT = "GENCLK";
    parameter [3:0] DIVR = 4'b0000;
    parameter [6:0] DIVF = 7'b0000000;
    parameter [2:0] DIVQ = 3'b000;
    parameter [2:0] FILTER_RANGE = 3'b000;
    assign PLLOUTCORE = REFERENCECLK;
    assign PLLOUTGLOBAL = REFERENCECLK;
    assign LOCK = RESETB;
    assign SDO = 1'b0;
endmodule
