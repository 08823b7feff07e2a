"""CSV files as people have them, made by a script: what is odd about each, and the options that mend it."""

from typing import NamedTuple

ROWS = 60
TOWNS = ("Aachen", "Bonn", "Celle")


class Everyday(NamedTuple):
    """text: str or bytes. target: its column. steps: what `fastbp train` says of the file as it is, and the options
    that it names for that, one after the other. rows: how many rows can be trained on. also: options that any reading
    of the file needs, beside those of the steps."""

    text: str | bytes
    target: str = "price"
    steps: tuple = ()
    rows: int = ROWS


def table(cells, header="area,rooms,price", separator=",", end="\n"):
    """A file of ROWS rows: cells(i) are those of row i."""
    lines = [header, *(separator.join(map(str, cells(i))) for i in range(ROWS))]
    return end.join(lines) + end


def house(i):
    return [f"{40 + 1.37 * i:.2f}", i % 5 + 1, 1000 + 137 * i + i % 7]


def german(i):
    """The same with decimal commas."""
    return [str(cell).replace(".", ",") for cell in house(i)]


def grouped(number, mark):
    return f"{number:,}".replace(",", mark)


PLAIN = table(house)
NOTE = '"said ""no"",\ntwice"'
FILES = {
    "plain": Everyday(PLAIN),
    "semicolons, a comma in a name": Everyday(table(german, "area, m2;rooms;price", ";")),
    "semicolons, a comma in a name, a line too long": Everyday(
        table(german, "area, m2;rooms;price", ";").replace("\n", ";7\n", 31).replace(";7\n", "\n", 30),
        steps=(("line 31: 4 cells, expected 3, as the first row has; correct the line (cells are separated by "
                "semicolons", None),)),
    "tabs": Everyday(table(german, "area\trooms\tprice", "\t")),
    "pipes": Everyday(table(house, "area|rooms|price", "|")),
    "spaces": Everyday(table(house, "area rooms  price", "   "),
                       steps=(("no separator was found; --separator says one", ("--separator", "space")),)),
    "UTF-8 with a mark": Everyday("\ufeff" + table(house, "größe,rooms,price")),
    "UTF-16": Everyday(table(house, "größe,rooms,price").encode("utf-16")),
    "UTF-16 without a mark": Everyday(PLAIN.encode("utf-16-be"), steps=(
        ("say --encoding utf-16-be", ("--encoding", "utf-16-be")),)),
    "cp1252": Everyday(table(house, "größe,rooms,price").encode("cp1252"),
                       steps=(("byte 2 cannot be read in line 1", ("--encoding", "cp1252")),)),
    "latin-1": Everyday(table(lambda i: [*house(i)[:2], ("süß", "fad")[i % 2]]).encode("latin-1"),
                        steps=(("in line 2), expected a CSV file; save it as CSV in UTF-8, or say --encoding cp1252 if",
                                ("--encoding", "latin-1")),)),
    "Excel's first line": Everyday("sep=;\r\n" + table(german, "area;rooms;price", ";", "\r\n")),
    "Windows": Everyday(table(house, end="\r\n")),
    "an old Macintosh": Everyday(table(house, end="\r")),
    "pandas' index": Everyday(table(lambda i: [i, *house(i)], ",area,rooms,price"), steps=(
        ("as written by `to_csv` without `index=False`; leave it out with --ignore 'Unnamed: 0'",
         ("--ignore", "Unnamed: 0")),)),
    "separators at the ends of lines": Everyday(table(lambda i: [*house(i), ""], "area,rooms,price,")),
    "and of the rows alone": Everyday(table(lambda i: [*house(i), ""])),
    "empty columns and rows of Excel's": Everyday(
        table(lambda i: [*house(i)[:1], "", *house(i)[1:], "", ""], "area,,rooms,price,,") + ",,,,,\n" * 3 + "\n\n"),
    "commas that may be two things": Everyday(
        table(lambda i: [f'"{1234 + i:,}"', i % 5, 100 + i]), steps=(
            ("line 2, column 'area': '1,234' may have a decimal comma or a separator", ("--thousands", ",")),)),
    "and among semicolons": Everyday(
        table(lambda i: [f"1,{234 + i}", i % 5, 100 + i], "area;rooms;price", ";"), steps=(
            ("'1,234' may have a decimal comma or a separator of thousands", ("--decimal", ",")),)),
    "points and commas that are clear": Everyday(
        table(lambda i: [f"{grouped(1234 + i, '.')},5", i % 5, grouped(1000 + 7 * i, ".")], "area;rooms;price", ";")),
    "thousands by spaces and apostrophes": Everyday(
        table(lambda i: [grouped(1234 + i, " "), grouped(2345 + i, "'"), grouped(1000 + 7 * i, "\u202f")])),
    "true and false": Everyday(table(lambda i: [i % 3 == 0, ("no", "yes")[i % 2], 1000 + 7 * i])),
    "no header": Everyday(table(house).partition("\n")[2], target="3", steps=(
        ("line 1: the first row holds numbers, expected a header row that names the columns", ("--no-header",)),)),
    "no header, with words": Everyday(
        table(lambda i: [*house(i), TOWNS[i % 3]]).partition("\n")[2], target="4", steps=(
            ("the first row holds numbers where columns of numbers begin, expected a header row that names the "
             "columns; say --no-header", ("--no-header",)),)),
    "years as names": Everyday(table(house, "2019,2020,2021"), target="2021"),
    "missing cells, filled in": Everyday(
        table(lambda i: ["" if i % 9 == 4 else house(i)[0], *house(i)[1:]]), steps=(
            ("line 6, column 'area': missing value (''), the first of 7 in 7 of 60 rows", ("--missing", "median")),)),
    "missing cells, left out": Everyday(
        table(lambda i: ["NA" if i % 9 == 4 else house(i)[0], *house(i)[1:]]), rows=53, steps=(
            ("leave out all such rows with missing='drop' (--missing drop)", ("--missing", "drop")),)),
    "missing words, filled in": Everyday(
        table(lambda i: ["" if i % 9 == 4 else TOWNS[i % 3], *house(i)[1:]]), steps=(
            ("(--missing median)", ("--missing", "median")),)),
    "words": Everyday(table(lambda i: [TOWNS[i % 3], *house(i)[1:]])),
    "names": Everyday(table(lambda i: [f"Mr. {i}", *house(i)], "name,area,rooms,price"), steps=(
        ("60 different words in 60 rows (is it a name or a key?), expected at most 30", ("--ignore", "name")),)),
    "postal codes": Everyday(table(lambda i: [f"{52062 + i % 3}", *house(i)[1:]])),
    "dates": Everyday(table(lambda i: [f"2024-01-{i % 28 + 1:02d}", *house(i)[1:]]), steps=(
        ("'2024-01-01' is a date, and so are most cells of the column, expected numbers or words; read it as days "
         "since", ("--dates", "area")),)),
    "dates with day and month first": Everyday(
        table(lambda i: [f"{i % 12 + 1}/{i % 11 + 1}/2024 {i % 24}:00", *house(i)[1:]]), steps=(
            ("is a date", ("--dates", "area")),
            ("'1/1/2024 0:00' may have the day or the month first", ("--date-order", "mdy")))),
    "percent": Everyday(table(lambda i: [f"{i}.5 %", *house(i)[1:]]), steps=(
        ("'0.5 %' has '%' beside the number", ("--units", "area")),)),
    "dollars": Everyday(table(lambda i: [*house(i)[:2], f'"${1000 + 137 * i:,}.50"']), steps=(
        ("'$1,000.50' has '$' beside the number", ("--units", "price")),)),
    "kilograms": Everyday(table(lambda i: [f"{i},5 kg", *german(i)[1:]], "area;rooms;price", ";"), steps=(
        ("'0,5 kg' has 'kg' beside the number", ("--units", "area")),)),
    "comments": Everyday("# a survey, of houses\n#\n" + PLAIN.replace("\n", "\n# half of it\n", 30)),
    "blank lines": Everyday("\n\n" + PLAIN.replace("\n", "\n\n") + "\n  \n"),
    "two columns of one name": Everyday(table(lambda i: [*house(i)[:1], *house(i)], "area,area,rooms,price"), steps=(
        ("two columns are named 'area' (columns 1 and 2)", ("--ignore", "area")),)),
    "quotes": Everyday(table(lambda i: [f'"{i},5"', (NOTE, '"a, b"')[i % 2], i], '"area","note","price"')),
    "spaces after the separators": Everyday(table(lambda i: [house(i)[0], (NOTE, '"a, b"')[i % 2], i], separator=", ")),
}
