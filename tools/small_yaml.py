"""small_yaml -- reads the YAML that Braid's documents are written in, without a library.

The subset of src/base/yaml.h: one document, block and flow mappings and sequences, plain, quoted
and literal (|) scalars, comments. Scalars stay text (Quoted where they were quoted), so that a
reader can make exact numbers of them. Anything else is an error with its line.
"""


class Quoted(str):
    """A scalar that was in quotes."""


class YamlError(Exception):
    pass


class _Reader:
    def __init__(self, text):
        self.lines = text.split("\n")
        self.at = 0

    # --- lines ---

    @staticmethod
    def strip_comment(line):
        quote = ""
        for i, c in enumerate(line):
            if quote:
                if c == quote and not (quote == '"' and line[i - 1] == "\\"):
                    quote = ""
            elif c in "\"'" and (i == 0 or line[i - 1] in " [{,:-"):
                quote = c
            elif c == "#" and (i == 0 or line[i - 1] in " \t"):
                return line[:i].rstrip()
        return line.rstrip()

    def peek(self):
        """(indent, text) of the next line that has something, or None."""
        while self.at < len(self.lines):
            line = self.strip_comment(self.lines[self.at])
            if line.strip() and line.strip() != "---":
                return len(line) - len(line.lstrip(" ")), line.strip()
            self.at += 1
        return None

    def fail(self, text):
        raise YamlError(f"line {self.at + 1}: {text}")

    # --- blocks ---

    def block(self, indent):
        found = self.peek()
        if found is None:
            return ""
        if found[1].startswith("- ") or found[1] == "-":
            return self.sequence(found[0])
        return self.mapping(found[0]) if indent <= found[0] else ""

    def sequence(self, indent):
        items = []
        while True:
            found = self.peek()
            if found is None or found[0] != indent or not (found[1] + " ").startswith("- "):
                return items
            rest = found[1][1:].lstrip()
            if not rest:
                self.at += 1
                items.append(self.block(indent + 1))
            elif rest[0] not in "[{\"'" and self.key_end(rest) is not None:
                # "- key: value": a mapping whose first line stands behind the dash
                inner = indent + len(found[1]) - len(rest)
                self.lines[self.at] = " " * inner + rest
                items.append(self.mapping(inner))
            else:
                items.append(self.value(rest, indent))

    @staticmethod
    def key_end(text):
        """Where the key of "key: value" ends, or None."""
        if text[0] in "\"'":
            end = text.find(text[0], 1)
            return end + 1 if text[end + 1:end + 2] == ":" else None
        for i, c in enumerate(text):
            if c == ":" and (i + 1 == len(text) or text[i + 1] == " "):
                return i
        return None

    def mapping(self, indent):
        result = {}
        while True:
            found = self.peek()
            if found is None or found[0] != indent or found[1].startswith("- "):
                if found is not None and found[0] > indent:
                    self.fail("stands too far to the right")
                return result
            end = self.key_end(found[1])
            if end is None:
                self.fail(f"expected a key in {found[1]!r}")
            key = found[1][:end].strip("\"'")
            if key in result:
                self.fail(f"{key} is there twice")
            result[key] = self.value(found[1][end + 1:].strip(), indent)

    def value(self, text, indent):
        """What follows a key or dash; the line has not been passed yet."""
        if not text:
            self.at += 1
            found = self.peek()
            if found is None:
                return ""
            is_list = (found[1] + " ").startswith("- ")
            if found[0] > indent or (is_list and found[0] == indent):
                return self.block(found[0])
            return ""
        if text in ("|", ">"):
            return self.literal(indent, text)
        if text[0] in "[{":
            return self.flow(text)
        self.at += 1
        return self.scalar(text)

    def literal(self, indent, style):
        self.at += 1
        lines = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            lines.append(line)
            self.at += 1
        inner = min((len(x) - len(x.lstrip(" ")) for x in lines if x.strip()), default=0)
        return ("\n" if style == "|" else " ").join(x[inner:] for x in lines).rstrip() + "\n"

    def scalar(self, text):
        if text[0] == '"':
            return Quoted(text[1:-1].replace('\\"', '"').replace("\\\\", "\\"))
        if text[0] == "'":
            return Quoted(text[1:-1].replace("''", "'"))
        return text

    # --- flow ---

    def flow(self, text):
        """A flow value, perhaps over several lines."""
        while not self.is_closed(text):
            self.at += 1
            if self.at >= len(self.lines):
                self.fail("a bracket is not closed")
            text += " " + self.strip_comment(self.lines[self.at]).strip()
        self.at += 1
        value, rest = self.flow_value(text)
        if rest.strip():
            self.fail(f"{rest!r} behind a bracket")
        return value

    @staticmethod
    def is_closed(text):
        depth = 0
        quote = ""
        for i, c in enumerate(text):
            if quote:
                quote = "" if c == quote and text[i - 1] != "\\" else quote
            elif c in "\"'" and (i == 0 or text[i - 1] in " [{,:"):
                quote = c
            else:
                depth += (c in "[{") - (c in "]}")
        return depth == 0 and not quote

    def flow_value(self, text):
        text = text.lstrip()
        if text[0] == "[":
            return self.flow_items(text[1:], "]", None)
        if text[0] == "{":
            return self.flow_items(text[1:], "}", {})
        if text[0] in "\"'":
            end = 1
            while text[end] != text[0] or text[end - 1] == "\\":
                end += 1
            return self.scalar(text[:end + 1]), text[end + 1:]
        end = 0
        while end < len(text) and text[end] not in ",]}" and not (
                text[end] == ":" and text[end + 1:end + 2] in (" ", "")):
            end += 1
        return text[:end].strip(), text[end:]

    def flow_items(self, text, close, mapping):
        items = []
        while True:
            text = text.lstrip()
            if text[0] == close:
                return (items if mapping is None else mapping), text[1:]
            value, text = self.flow_value(text)
            text = text.lstrip()
            if mapping is None:
                items.append(value)
            elif text[0] == ":":
                mapping[value], text = self.flow_value(text[1:])
                text = text.lstrip()
            else:
                self.fail(f"{value!r} has no value")
            if text[0] == ",":
                text = text[1:]
            elif text[0] != close:
                self.fail(f"expected , or {close}")


def parse(text):
    reader = _Reader(text)
    result = reader.block(0)
    if reader.peek() is not None:
        reader.fail("expected the end of the document")
    return result
