"""``apical generate``: an engine as Verilog, with its manifest and memory map."""

from __future__ import annotations

from pathlib import Path

from .common import argument, table, write_json
from .engine_options import add_engine_arguments, engine_config

HELP = "write the engine as Verilog"

#: Words of Verilog-2001, no name of a module.
KEYWORDS = """
    always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign
    default defparam design disable edge else end endcase endconfig endfunction endgenerate
    endmodule endprimitive endspecify endtable endtask event for force forever fork function
    generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer
    join large liblist library localparam macromodule medium module nand negedge nmos nor
    noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1
    pulldown pullup pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat
    rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam
    strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand
    trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor xor"""


def add_arguments(parser):
    """Declare the options."""
    add_engine_arguments(parser)
    parser.add_argument("--name", default="apical_engine", help="name of the top module",
                        type=argument(_identifier))
    parser.add_argument("-o", "--output", metavar="DIR", required=True,
                        help="folder for NAME.v, NAME.json and NAME_map.md")
    parser.add_argument("--cells", action="store_true",
                        help="instance the cells of the preset's device family instead of "
                        "portable memories and multipliers")
    parser.add_argument("--trace", action="store_true",
                        help="with the trace port, for simulation")


def _identifier(text):
    from ..golden.errors import MisuseError

    if not text.isidentifier() or not text.isascii():
        raise MisuseError(f"'{text}' is not a Verilog identifier")
    if text in KEYWORDS.split():
        raise MisuseError(f"'{text}' is a word of Verilog; give the module another name")
    return text


def run(args) -> int:
    """Run the command; returns the exit code."""
    from ..golden.errors import ApicalError
    from ..golden.storage.atomic import check_writable, write_atomically
    from ..hw.export.verilog import engine_verilog, manifest, memories, memory_map

    config = engine_config(args)
    folder = Path(args.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ApicalError(f"cannot make folder '{folder}': {error.strerror}; "
                          "name another one with -o") from error
    paths = [folder / f"{args.name}{ending}" for ending in (".v", ".json", "_map.md")]
    for path in paths:
        check_writable(path)
    text = engine_verilog(config, args.name, args.trace, not args.cells)
    write_atomically(paths[0], text.encode())
    write_json(paths[1], manifest(config, args.name))
    write_atomically(paths[2], memory_map(config).encode())
    print(table(("memory", "words", "width", "bits"),
                [(name, m["words"], m["width"], m["bits"])
                 for name, m in memories(config).items()]))
    print(f"configuration {config.hash}: wrote {', '.join(str(path) for path in paths)}")
    return 0
