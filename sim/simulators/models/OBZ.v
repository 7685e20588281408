// Output pin of the ECP5; boards drive theirs always.
module OBZ (input I, T, output O);
    assign O = I;
endmodule
