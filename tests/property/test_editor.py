"""A funder's form and its rule text: each other's inverse, and the same amount."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from federation.aids.editor import RuleForm, compile_rule, read_rule
from federation.aids.editor.aid_form import AidForm
from federation.aids.editor.rule_form import (
    OPERATORS,
    Atom,
    Conditions,
    Gift,
    GiftKind,
    Line,
    Question,
    QuestionKind,
    faults_of,
)
from federation.aids.eligibility import Scalar
from federation.aids.model import Example, FunderLevel, Territory
from federation.aids.publicodes import Engine
from federation.aids.rule_units import to_cents
from federation.hub.draft_sheet import read_sheet, settle, sheet_of
from schemas.units import Cents

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUESTIONS = (
    Question("vélo . prix payé", "Prix payé", "Combien ?", QuestionKind.NUMBER, unit="€"),
    Question("demandeur . âge", "Âge", "Quel âge ?", QuestionKind.NUMBER, "Age", unit="an"),
    Question("trajet . jours", "Jours", "Combien de jours ?", QuestionKind.NUMBER, unit="jour"),
    Question("habite ici", "Habite ici", "Habitez-vous ici ?", QuestionKind.YES_NO),
    Question(
        "demandeur . statut", "Statut", "Quel statut ?", QuestionKind.CHOICE,
        choices=("étudiant", "demandeur d'emploi", "plus de 7 100 à 15 400 € par part"),
    ),
    Question("vélo . numéro", "Numéro", "Quel numéro ?", QuestionKind.TEXT),
)  # fmt: skip
FIGURES = st.decimals(0, 5_000, places=2).map(lambda d: d.normalize() + 0)
CENTS = st.integers(1, 500_000).map(Cents)
PERCENTS = st.integers(1, 10_000).map(lambda n: (Decimal(n) / 100).normalize() + 0)


def atom_of(asked: Question) -> st.SearchStrategy[Atom]:
    values: st.SearchStrategy[Decimal | bool | str] = FIGURES
    if asked.kind is QuestionKind.YES_NO:
        values = st.booleans()
    elif asked.kind is QuestionKind.CHOICE:
        values = st.sampled_from(asked.choices)
    operators = st.sampled_from(OPERATORS[asked.kind])
    return st.builds(Atom, st.just(asked.variable), operators, values)


ATOMS = st.sampled_from(QUESTIONS[:5]).flatmap(atom_of)
CONDITIONS = st.lists(
    st.lists(ATOMS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3
).map(tuple)
CAPS = st.none() | CENTS


@st.composite
def tables(draw: st.DrawFn) -> Gift:
    limits = sorted(draw(st.sets(FIGURES, min_size=1, max_size=4)))
    dues = [draw(st.integers(0, 500_000)) for _ in limits]
    rows = [(limit, Cents(due)) for limit, due in zip(limits, dues, strict=True)]
    variable = draw(st.sampled_from(["demandeur . âge", "vélo . prix payé"]))
    return Gift(GiftKind.TABLE, variable=variable, rows=(*rows, (None, draw(CENTS))))


GIFTS = st.one_of(
    st.builds(Gift, st.just(GiftKind.FIXED), amount=st.integers(0, 500_000).map(Cents)),
    st.builds(
        Gift, st.just(GiftKind.SHARE), percent=PERCENTS, variable=st.just("vélo . prix payé"),
        cap=CAPS,
    ),
    st.builds(
        Gift, st.just(GiftKind.PER_UNIT), amount=CENTS,
        variable=st.sampled_from(["trajet . jours", "demandeur . âge"]), cap=CAPS,
    ),
    tables(),
)  # fmt: skip
LINES = st.builds(Line, CONDITIONS, GIFTS)


@st.composite
def forms(draw: st.DrawFn) -> RuleForm:
    lines = draw(st.lists(LINES, max_size=3))
    if not lines or draw(st.booleans()):
        lines.append(Line((), draw(GIFTS)))
    ceiling, floor = draw(CAPS), draw(CAPS)
    assume(ceiling is None or floor is None or floor <= ceiling)
    form = RuleForm(
        rule=draw(st.sampled_from(["aide", "aide à l'achat"])),
        title="Aide au vélo",
        title_en=draw(st.sampled_from(["", "Bicycle aid"])),
        questions=QUESTIONS,
        conditions=draw(st.just(()) | CONDITIONS),
        lines=tuple(lines),
        bonuses=tuple(draw(st.lists(LINES, max_size=2))),
        share_ceiling=draw(st.none() | st.tuples(PERCENTS, st.just("vélo . prix payé"))),
        ceiling=ceiling,
        floor=floor,
        rounded=draw(st.booleans()),
    )
    assert not faults_of(form)
    return form


SITUATIONS = st.fixed_dictionaries(
    {
        "vélo . prix payé": FIGURES,
        "demandeur . âge": st.integers(0, 100).map(Decimal),
        "trajet . jours": st.integers(0, 366).map(Decimal),
        "habite ici": st.booleans(),
        "demandeur . statut": st.sampled_from(QUESTIONS[4].choices),
    }
)


@QUICK
@given(forms())
def test_reading_the_compiled_rule_gives_the_form_again(form: RuleForm) -> None:
    assert read_rule(compile_rule(form), form.rule) == form


@QUICK
@given(forms(), st.data())
def test_typing_what_a_form_says_gives_the_form_again(form: RuleForm, data: st.DataObject) -> None:
    answers: dict[str, Scalar] = {
        "vélo . prix payé": data.draw(st.integers(0, 9_000)),
        "demandeur . âge": 30,
        "trajet . jours": 12.5,
        "habite ici": data.draw(st.booleans()),
        "demandeur . statut": "étudiant",
    }
    whole = AidForm(
        rule=form,
        summary="Une aide à l'achat.",
        summary_en="",
        territories=(Territory(FunderLevel.COMMUNE, "11069"),),
        themes=("velo",),
        documents=("RIB", "Facture acquittée"),
        statement="Je déclare sur l'honneur.",
        unique="vélo . numéro",
        journey="vélo . numéro",
        decision_days=60,
        ends_on=None,
        budget=data.draw(CAPS),
        cool_down=data.draw(st.integers(0, 240)),
        no_prior=data.draw(st.booleans()),
        examples=(Example("Un cas", answers, Cents(100_50)), Example("Rien", answers, None)),
    )
    sheet = sheet_of(whole)
    assert settle(sheet) == sheet, "nothing that was settled is dropped"
    reading = read_sheet(sheet, rule=form.rule)
    assert reading.faults == ()
    assert reading.form == whole


def holds(conditions: Conditions, known: dict[str, Decimal | bool | str]) -> bool:
    def one(atom: Atom) -> bool:
        have, need = known[atom.variable], atom.value
        if atom.operator == "=":
            return have == need
        if atom.operator == "!=":
            return have != need
        assert isinstance(have, Decimal)
        assert isinstance(need, Decimal)
        return {
            ">=": have >= need, "<=": have <= need, ">": have > need, "<": have < need,
        }[atom.operator]  # fmt: skip

    return all(any(one(atom) for atom in group) for group in conditions)


def due(gift: Gift, known: dict[str, Decimal | bool | str]) -> Decimal:
    """Euros, computed from the form alone."""
    figure = known.get(gift.variable, Decimal(0))
    assert isinstance(figure, Decimal)
    if gift.kind is GiftKind.TABLE:
        return next(
            Decimal(amount) / 100 for limit, amount in gift.rows if limit is None or figure <= limit
        )
    found = Decimal(gift.amount or 0) / 100
    if gift.kind is GiftKind.SHARE:
        found = (gift.percent or Decimal(0)) / 100 * figure
    elif gift.kind is GiftKind.PER_UNIT:
        found *= figure
    return found if gift.cap is None else min(found, Decimal(gift.cap) / 100)


def amount_of(form: RuleForm, known: dict[str, Decimal | bool | str]) -> Decimal | None:
    base = next((due(x.gift, known) for x in form.lines if holds(x.when, known)), None)
    if base is None or not holds(form.conditions, known):
        return None
    if (form.bonuses or form.floor is not None) and base <= 0:
        return None
    total = base + sum(
        (due(x.gift, known) for x in form.bonuses if holds(x.when, known)), Decimal(0)
    )
    if form.share_ceiling is not None:
        price = known[form.share_ceiling[1]]
        assert isinstance(price, Decimal)
        total = min(total, form.share_ceiling[0] / 100 * price)
    if form.ceiling is not None:
        total = min(total, Decimal(form.ceiling) / 100)
    if form.floor is not None:
        total = max(total, Decimal(form.floor) / 100)
    return total.quantize(Decimal(1), ROUND_HALF_UP) if form.rounded else total


@QUICK
@given(forms(), st.lists(SITUATIONS, min_size=1, max_size=8))
def test_the_rule_computes_what_the_form_says(
    form: RuleForm, situations: list[dict[str, Decimal | bool | str]]
) -> None:
    engine = Engine(compile_rule(form))
    units = {asked.variable: asked.unit for asked in QUESTIONS}
    for known in situations:
        given = {
            name: value
            if isinstance(value, bool)
            else f"{value:f} {units[name]}"
            if isinstance(value, Decimal)
            else f"'{value}'"
            for name, value in known.items()
        }
        found = engine.evaluate(form.rule, given)
        expected = amount_of(form, known)
        if expected is None:
            assert found.value is None
            continue
        assert isinstance(found.value, int | float)
        cents = to_cents(float(found.value), found.unit)
        # a float may fall on the other side of half a cent, or of half a euro
        assert abs(cents - expected * 100) <= (100 if form.rounded else 1)


def test_who_stands_at_the_limit_of_a_line_is_in_it() -> None:
    rows = ((Decimal(30), Cents(200_00)), (None, Cents(100_00)))
    table = Gift(GiftKind.TABLE, variable="demandeur . âge", rows=rows)
    form = RuleForm("aide", "Aide au vélo", "", QUESTIONS, (), (Line((), table),))
    engine = Engine(compile_rule(form))
    due = [engine.evaluate("aide", {"demandeur . âge": f"{age} an"}).value for age in (29, 30, 31)]
    assert due == [200, 200, 100]
