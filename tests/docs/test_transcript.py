"""The reader of documents reads what people write, and notices when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.transcript import Command, agrees, commands

DOCUMENT = """\
Some words.

```console
$ innkeeper check broken   # exits 2
error: …
$ innkeeper ledger balance \\
>   --json
$ cat > a.txt <<'END'
> $ not a command
> END
```

```sh
# a comment
innkeeper init shop
cat > b.txt <<END
one
END
```

```yaml
not: commands
```
"""


def test_reads_commands_exit_codes_and_output(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(DOCUMENT)
    assert commands(tmp_path / "a.md") == [
        Command(text="innkeeper check broken", line=4, exit_code=2, shown="error: …"),
        Command(text="innkeeper ledger balance \\\n  --json", line=6),
        Command(text="cat > a.txt <<'END'\n$ not a command\nEND", line=8),
        Command(text="innkeeper init shop", line=15),
        Command(text="cat > b.txt <<END\none\nEND", line=16),
    ]


def test_a_console_block_without_a_command_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("```console\ninnkeeper check\n```\n")
    with pytest.raises(ValueError, match="line 2"):
        commands(tmp_path / "a.md")


@pytest.mark.parametrize(
    ("shown", "printed", "answer"),
    [
        ("one\ntwo", "one\ntwo\n", True),
        ("one\ntwo", "one\nthree\n", False),
        ("one", "one\ntwo\n", False),
        ("read … lines", "read 12 lines", True),
        ("read … lines", "read 12\n lines", False),
        ("one\n…\nfour", "one\ntwo\nthree\nfour", True),
        ("one\n…\nfour", "one\nfour", True),
        ("one\n…", "one\ntwo\nthree", True),
        ("a.c", "abc", False),
    ],
)
def test_output_agrees_but_for_the_wildcard(shown: str, printed: str, answer: bool) -> None:
    assert agrees(shown, printed) is answer
