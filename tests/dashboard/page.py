"""A page as a test reads it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.data: list[str] = []
        self.words: list[str] = []
        self._within: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in {"script", "style"}:
            self._within = "json" if dict(attrs).get("type") == "application/json" else tag

    def handle_endtag(self, tag: str) -> None:
        self._within = None

    def handle_data(self, data: str) -> None:
        {"script": self.scripts, "json": self.data, "style": []}.get(self._within or "", self.words).append(data)

    @property
    def text(self) -> str:
        """All words in one line, as a reader comes across them."""
        return " ".join(" ".join(self.words).split())
