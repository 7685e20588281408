"""Every executor has a handler for every operation, and says so where it lacks one."""

import numpy as np
import pytest
import slow_reference
from operation_kinds import kinds, lacking

from apical.golden.errors import MisuseError
from apical.golden.executors.compiled import executor as compiled
from apical.golden.executors.fixed import executor as fixed
from apical.golden.executors.float import binding
from apical.golden.executors.float.executor import FloatExecutor
from apical.golden.network import layered
from apical.golden.program import Clear, Program, Relax

TABLES = {"float": binding.HANDLERS, "fixed": fixed.HANDLERS, "compiled": compiled.HANDLERS,
          "slow reference": slow_reference.Machine.handlers,
          "slow reference, names": slow_reference.NAMED}
EXECUTORS = {"float": FloatExecutor, "fixed": fixed.FixedExecutor,
             "compiled": compiled.CompiledExecutor}
NET = layered([2, 3, 2])


@pytest.mark.parametrize("name", TABLES)
def test_every_operation_has_a_handler(name):
    assert len(kinds()) >= 12
    assert lacking(TABLES[name]) == []


@pytest.mark.parametrize("kind", kinds())
def test_a_missing_handler_is_found(kind):
    for table in TABLES.values():
        assert lacking({k: v for k, v in table.items() if k is not kind}) == [kind.__name__]


@pytest.mark.parametrize("ops", [(Clear("h1"),), (Relax(2, (Clear("h1"),)),)])
@pytest.mark.parametrize("name", EXECUTORS)
def test_an_executor_names_what_it_lacks(name, ops, monkeypatch):
    dtype = float if name == "float" else np.int64
    executor = EXECUTORS[name](NET, {m.name: np.zeros(m.shape, dtype) for m in NET.matrices})
    monkeypatch.delitem(TABLES[name], Clear)
    module = "binding" if name == "float" else "executor"
    with pytest.raises(MisuseError, match=rf"^Clear h1: the {name} executor \(apical\.golden\."
                                          rf"executors\.{name}\.{module}\.HANDLERS\) has no "
                                          r"handler for operation Clear; add one to the table$"):
        executor.run(Program("p", ops), {})
