"""The fences that are run are the fences that a reader sees: none is overlooked, none runs unseen."""

from __future__ import annotations

import re
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import markdown
import pytest
from mkdocs.config import load_config

from lossref.pagecheck.plugin import all_pages
from lossref.pagecheck.source import PageError, read_page, read_text

ROOT = Path(__file__).parents[2]

NASTY = '''\
# 标题

段落紧接着围栏：
```python
after_paragraph = 1
```
紧接着的文字。

~~~python
tildes = "```"
~~~

````python
longer = """
```
not a fence
```
"""
````

```py title="文件.py"
alias = 2


blank_lines = "<!-- code -->"  # $ and `
```

``` python hl_lines="1"
spaced = 3
```

```{.python .extra}
attributes = 4
```

```python {.no-run}
shown = only
```

```bash
echo bash
```

```
nothing
```

  ```python
  indented_by_two = 5
  ```

- 列表

    ```python
    in_list = 6

    still = 6
    ```

    - 嵌套

        ```python
        in_nested_list = 7
        ```

1. 一

    !!! note "题"

        ```python
        in_admonition_in_list = 8
        ```

!!! warning
    ```python
    tight_admonition = 9
    ```

    === "甲"

        ```python
        in_tab_in_admonition = 10
        ```

??? note "折叠"

    > ```python
    > quote_in_admonition = 11
    > ```

=== "乙"

    ```python
    in_tab = 12
    ```

=== "丙"

    ```python
    in_second_tab = 13
    ```

> ```python
> quoted = 14
>
>     indented = 14
> ```
>
> > ```python
> > twice_quoted = 15
> > ```

行内 ```python inline``` 与 ``a ` b``。

[^1]: 脚注

    ```python
    in_footnote = 16
    ```

正文[^1]。

术语
:   解释

    ```python
    in_definition = 17
    ```

<div markdown>

```python
in_html = 18
```

</div>

<!--python
hidden = 19
-->

<!-- a remark -->

```python
at_the_end = 20
```'''


class Rendered(HTMLParser):
    """The code blocks of a rendered page: language and text."""

    def __init__(self, html: str):
        super().__init__()
        self.blocks: list[tuple[str, str]] = []
        self._language, self._text = "", None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "div":
            match = re.search(r"language-(\w+)", dict(attrs).get("class") or "")
            self._language = match[1] if match else self._language
        elif tag == "pre":
            self._text = ""

    def handle_data(self, data):
        if self._text is not None:
            self._text += data

    def handle_endtag(self, tag):
        if tag == "pre":
            self.blocks.append((self._language, self._text.rstrip("\n")))
            self._language, self._text = "", None


def rendered(text: str) -> list[tuple[str, str]]:
    """The code blocks of a page as the site's own configuration renders them."""
    config = load_config(str(ROOT / "mkdocs.yml"))
    own = [name for name in config.markdown_extensions if name.startswith("tools.")]
    keep = [name for name in config.markdown_extensions if name not in own or name == "tools.comments"]
    configs = {name: config.mdx_configs[name] for name in keep if name in config.mdx_configs}
    return Rendered(markdown.markdown(text, extensions=keep, extension_configs=configs)).blocks


def languages(fences) -> list[tuple[str, str]]:
    names = {"": "text", "py": "python"}
    return sorted((names.get(language, language), code.strip("\n")) for language, code in fences)


@pytest.fixture(autouse=True)
def from_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))


def test_collected_fences_are_the_rendered_ones():
    collected = [(fence.language, fence.code) for fence in read_text(NASTY).fences]
    assert languages(collected) == languages(rendered(NASTY))
    ran = [fence for fence in read_text(NASTY).fences if fence.language == "python" and fence.run]
    assert len(ran) == 21


@pytest.mark.parametrize("path", all_pages(ROOT), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_fences_of_every_page(path):
    page = read_page(path, ROOT)
    body = re.sub(r"\A---\n.*?\n---\n", "", page.text, flags=re.S)
    assert languages((f.language, f.code) for f in page.fences) == languages(rendered(body))


# What the site does not render as a fence is refused, so that nothing looks like code and is not run.
NO_FENCE = {
    "list marker": ("- ```python\n  x = 1\n  ```\n", "put it on a line of its own"),
    "quote in a list marker": ("- > ```python\n  > x\n  > ```\n", "put it on a line of its own"),
    "unclosed": ("```python\nx = 1\n", "never closed"),
    "longer close": ("```python\nx = 1\n````\n", "never closed"),
    "dedented": ("- a\n\n    ```python\n  x = 1\n    ```\n", "never closed"),
    "leaves the quote": ("> ```python\n> x = 1\n\n```\n", "never closed"),
    "unknown option": ('```python test="skip"\nx\n```\n', "the fence option 'test' is unknown"),
    "bare word": ("```python no-run\nx\n```\n", "this fence header is not rendered"),
    "indented code": ("段落\n\n    ```python\n    x = 1\n    ```\n", "a renderer shows this as code"),
    "in a comment": ("<!--\n```python\nx\n```\n-->\n", "a fence inside a comment"),
}


@pytest.mark.parametrize("text, message", NO_FENCE.values(), ids=NO_FENCE)
def test_refused_fences(text, message):
    with pytest.raises(PageError) as caught:
        read_text(textwrap.dedent(text))
    assert message in caught.value.message
    assert caught.value.location.path == "page.md"


@pytest.mark.parametrize(
    "name",
    ["list marker", "unclosed", "longer close", "dedented", "unknown option", "bare word", "indented code"],
)
def test_refused_fences_are_not_rendered(name):
    text = NO_FENCE[name][0]
    assert not [
        code for language, code in rendered(text) if language == "python" and code.strip() in ("x", "x = 1")
    ]
