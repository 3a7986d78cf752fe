"""What a browser would load and show of an HTML page."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags, pictures, levels of headings and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.pictures, self.levels, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        if tag in ("h1", "h2", "h3"):
            self.levels.append(int(tag[1]))

    def handle_data(self, data):
        self.text += data
