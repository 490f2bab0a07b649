"""HTML pages that were written by the program, read by a parser that is not ours."""

import re

import html5lib

# What would load something, lead somewhere, or run.
FORBIDDEN = {"script", "link", "img", "image", "use", "iframe", "frame", "object", "embed", "audio", "video", "source", "base",
             "form", "a", "foreignObject", "animate", "set", "template", "noscript"}
ATTRIBUTES = {"charset", "class", "content", "d", "datetime", "height", "http-equiv", "lang", "name", "opacity", "role", "scope",
              "style", "viewBox", "preserveAspectRatio", "width", "x", "y", "aria-hidden", "aria-label"}


def local(name):
    return name.rsplit("}", 1)[-1] if isinstance(name, str) else name


class Page:
    """A whole page, which is valid, and nothing of which comes from elsewhere."""

    def __init__(self, path):
        self.bytes = path.read_bytes()
        self.text = self.bytes.decode("utf-8")
        parser = html5lib.HTMLParser(strict=True)
        self.root = parser.parse(self.text)
        assert not parser.errors
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", self.text)
        for element in self.root.iter():
            if not isinstance(element.tag, str):
                continue  # a comment
            assert local(element.tag) not in FORBIDDEN, element.tag
            for name, value in element.attrib.items():
                assert local(name) in ATTRIBUTES, (element.tag, name)
                assert "url(" not in value and "javascript:" not in value
        style, = self.all("style")
        assert "url(" not in style and "@import" not in style

    @staticmethod
    def words(element):
        """Its text as it is read, one blank between words."""
        return " ".join("".join(element.itertext()).split())

    def elements(self, tag, class_=None, within=None):
        found = (self.root if within is None else within).iter()
        return [e for e in found if local(e.tag) == tag and (class_ is None or class_ in e.get("class", "").split())]

    def all(self, tag, class_=None, within=None):
        return [self.words(e) for e in self.elements(tag, class_, within)]

    @property
    def title(self):
        return self.all("h1")[0]

    @property
    def head(self):
        return self.all("header")[0]

    def sections(self):
        return {self.words(self.elements("h2", within=e)[0]): e for e in self.elements("section")}

    def figures(self, section):
        """The large figures of a section: what each is called and its number, without what follows it."""
        names = self.all("dt", within=self.sections()[section])
        return dict(zip(names, (v.split(" ")[0] for v in self.all("dd", within=self.sections()[section]))))

    def tables(self, section):
        """The rows of all tables of a section."""
        return [[self.words(cell) for cell in row if local(cell.tag) in ("th", "td")]
                for row in self.elements("tr", within=self.sections()[section])]

    def count(self, name):
        return int(self.figures("Leads")[name].replace(",", ""))
