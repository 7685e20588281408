// Input pin of the ECP5.
module IB (input I, output O);
    assign O = I;
endmodule
