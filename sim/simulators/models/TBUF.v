// Output pin of Gowin's devices; boards drive theirs always.
module TBUF (input I, OEN, output O);
    assign O = I;
endmodule
