"""The command `mobility`. Each verb is a thin call; results on stdout (`--json`), talk on stderr.

Exit codes: 0 done, 1 refused or invalid, 2 usage, 3 try later. A passphrase comes from a prompt, from
`--passphrase-file` or from MOBILITY_PASSPHRASE; never from the command line.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import json
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from federation.aids.model import AidStatus
from federation.trust import Role
from portal.giving_commands import vault_give
from portal.infrastructure_commands import infrastructure_app
from portal.issuer_commands import issuer_app
from portal.log_commands import log_app, say_evidence
from portal.offer_commands import offers_app
from portal.passport_commands import passport_app
from portal.settings import Node
from portal.standing_commands import standing_app
from portal.terminal import (
    DONE,
    LATER,
    REFUSED,
    USAGE,
    AsJson,
    PassFile,
    Since,
    State,
    Talk,
    Until,
    VaultId,
    fail,
    secret,
    settings_for,
    talk,
    with_vault,
)
from schemas.errors import InvalidInput, MobilityError, Retriable
from schemas.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.backup import Lost

STEPS: Final = ("sent", "extended", "answered", "refused", "complained", "closed", "reopened")
"""What happens to a request for one's data (`vault.data_requests.acts.Step`)."""

app = typer.Typer(
    name="mobility",
    help="Coffre de mobilité : vos trajets, vos preuves, vos aides.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
vault_app = typer.Typer(
    help="Le coffre d'une personne.", no_args_is_help=True, rich_markup_mode=None
)
home_app = typer.Typer(help="L'hébergeur des coffres.", no_args_is_help=True, rich_markup_mode=None)
connect_app = typer.Typer(
    help="Les sources d'un coffre.", no_args_is_help=True, rich_markup_mode=None
)
hub_app = typer.Typer(
    help="Le hub : aides, membres, guichet.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(vault_app, name="vault")
vault_app.add_typer(standing_app, name="standing")
vault_app.command("give")(vault_give)
app.add_typer(home_app, name="home")
app.add_typer(connect_app, name="connect")
app.add_typer(hub_app, name="hub")
desk_app = typer.Typer(
    help="Le guichet d'un financeur, sur sa propre machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(desk_app, name="desk")
hub_app.add_typer(log_app, name="log")
hub_app.add_typer(infrastructure_app, name="infrastructure")
app.add_typer(issuer_app, name="issuer")
app.add_typer(passport_app, name="passport")
app.add_typer(offers_app, name="offers")

# --- servers ---------------------------------------------------------------------------------


@app.command()
def serve(
    nodes: Annotated[
        list[Node] | None,
        typer.Argument(help="home, hub, sandbox ; par défaut home et hub.", show_default=False),
    ] = None,
    state: State = None,
    host: Annotated[str | None, typer.Option(help="Adresse d'écoute.", show_default=False)] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Bac à sable : tout est fictif.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lancer les serveurs et les garder en marche."""
    from portal.serve import Supervisor

    out = talk(as_json)
    settings = settings_for(state, host=host, sandbox=sandbox or None)
    wanted = nodes or (
        [Node.HUB, Node.HOME, Node.SANDBOX] if settings.sandbox else [Node.HUB, Node.HOME]
    )
    with Supervisor(settings, wanted) as tree:
        out.result({node.value: settings.url(node) for node in tree.servers})
        sys.stdout.flush()
        tree.wait()


@app.command()
def worker(state: State = None) -> None:
    """Exécuter les travaux de fond avec Celery (MOBILITY_BROKER_URL)."""
    from portal.compose import run_worker

    settings = settings_for(state)
    if settings.broker_url is None:
        fail(USAGE, "MOBILITY_BROKER_URL is not set")
    run_worker(settings)


@app.command()
def demo(
    state: State = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="S'arrêter à la fin de l'histoire.")
    ] = False,
    as_json: AsJson = False,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Export réel à la place des trajets fictifs (répétable).",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    home_port: Annotated[
        int | None,
        typer.Option(help="Port de l'hébergeur ; hub et bac à sable suivent.", show_default=False),
    ] = None,
) -> None:
    """Raconter toute l'histoire, en sept actes, sur de vrais serveurs."""
    from portal.demo import run

    raise typer.Exit(
        run(
            state=state,
            headless=headless,
            as_json=as_json,
            files=source or [],
            home_port=home_port,
            t=talk(as_json).t,
        )
    )


@app.command()
def migrate(state: State = None, as_json: AsJson = False) -> None:
    """Mettre les bases à jour : coffres, sessions, connecteurs, hub."""
    from portal.compose import migrate_all

    talk(as_json).result(migrate_all(settings_for(state)))


@app.command()
def doctor(
    public: Annotated[
        str, typer.Option(help="Adresse publique de l'hébergeur, telle qu'un téléphone la voit.")
    ],
    as_json: AsJson = False,
) -> None:
    """Essayer un hébergeur de l'extérieur : les envois de chaque application de téléphone."""
    import httpx

    from portal.doctor import ADVICE, examine

    out = talk(as_json)
    try:
        with httpx.Client(timeout=15, follow_redirects=False) as client:
            found = examine(public, client, at=datetime.now(UTC))
    except (httpx.TransportError, httpx.InvalidURL) as error:
        fail(LATER, out.t("Rien ne répond à cette adresse : {why}", why=type(error).__name__))
    out.table(
        [
            {
                "check": f.name if f.name in ADVICE else out.t(f.name),
                "ok": "✓" if f.is_good else "✕",
                "answered": f.answered,
                "advice": "" if f.is_good else out.t(f.advice),
            }
            for f in found
        ],
        out.t("Vu de l'extérieur"),
    )
    if not all(f.is_good for f in found):
        raise typer.Exit(REFUSED)


@app.command()
def verify(
    file: Annotated[
        Path,
        typer.Argument(
            help="PDF d'attestation, preuve JSON, texte d'un code QR, SD-JWT, VC-JWT, ou preuve d'une décision (ZIP).",
            exists=True,
            dir_okay=False,
        ),
    ],
    trust: Annotated[
        Path | None,
        typer.Option(
            help="Instantané du registre de confiance ; sinon celui du dossier d'état.",
            show_default=False,
        ),
    ] = None,
    status_list: Annotated[
        list[Path] | None,
        typer.Option(
            help="Liste de révocation gardée avec le document (répétable).",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            help="Racines d'horodatage à croire (PEM) ; sinon celle qui est jointe, nommée.",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Vérifier un document hors ligne : signature, émetteur, statut."""
    from portal.offline import is_evidence, verify_decision, verify_file
    from portal.pages.checks import check_rows, declared_rows

    out, data = talk(as_json), file.read_bytes()
    if is_evidence(data):
        checks = verify_decision(
            data,
            trust=trust,
            settings=settings_for(state),
            at=datetime.now(UTC),
            authority=authority,
        )
        say_evidence(out, declared_rows(out.t, checks), {check.outcome for check in checks})
    result = verify_file(
        data,
        trust=trust,
        settings=settings_for(state),
        at=datetime.now(UTC),
        status_lists=status_list or [],
    )
    rows = check_rows(out.t, result.checks)
    text = "\n".join(f"{row['mark']} {row['step']}. {row['title']} : {row['text']}" for row in rows)
    verdict = {
        "verified": out.t("Document authentique"),
        "refused": out.t("Ce document n'est pas valable"),
    }
    headline = verdict.get(result.outcome, out.t("On ne peut pas encore le dire"))
    out.result(
        {
            "outcome": result.outcome,
            "kind": result.kind,
            "failed": list(result.failed),
            "checks": [{k: row[k] for k in ("step", "code", "outcome", "text")} for row in rows],
            "document": dict(result.document) if result.document is not None else None,
        },
        f"{headline}\n{text}",
    )
    raise typer.Exit({"verified": DONE, "refused": REFUSED}.get(result.outcome, LATER))


# --- the vault -------------------------------------------------------------------------------


@vault_app.command("init")
def vault_init(
    state: State = None,
    passphrase_file: PassFile = None,
    label: Annotated[str, typer.Option(help="Nom du coffre.")] = "",
    as_json: AsJson = False,
) -> None:
    """Créer un coffre ; le code de secours n'est montré qu'une fois."""
    from portal.compose import home_only

    out = talk(as_json)
    phrase = secret(passphrase_file, prompt="Phrase secrète", confirm=True)
    with home_only(settings_for(state)) as home:
        made = home.create_vault(phrase, label=label)
    out.say(out.t("Recopiez le code de secours : il ne sera plus jamais montré."))
    out.result({"vault": made.vault_id, "recovery_code": made.recovery_code})


@vault_app.command("import")
def vault_import(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Exports et traces : voir connectors/README.md.", exists=True, dir_okay=False
        ),
    ],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Importer des fichiers ; leurs trajets sont « déclarés »."""
    from portal.pages.draining import drain_all

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        reports = []
        for file in files:
            with file.open("rb") as stream:
                reports.append(parts.connectors.import_file(opened.vault_id, stream, file.name))
        drained = drain_all(opened)
    out.result(
        {
            "files": len(reports),
            "records": sum(r.records for r in reports),
            "rejected": [{"where": x.where, "code": x.code} for r in reports for x in r.rejected],
            "skipped": {k: v for r in reports for k, v in r.skipped.items()},
            "trips_new": drained.trips_new,
            "trips_changed": drained.trips_changed,
            "duplicates": drained.duplicates,
            "quarantined": drained.quarantined,
        }
    )


@vault_app.command("ask")
def vault_ask(  # what the letter says
    company: Annotated[
        str, typer.Argument(help="Entrée de l'annuaire (voir --list), ou nom de l'entreprise.")
    ] = "",
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    name: Annotated[str, typer.Option(help="Votre nom et votre prénom.")] = "",
    reply_to: Annotated[str, typer.Option(help="Où vous répondre.")] = "",
    known_as: Annotated[str, typer.Option(help="Numéro de client, compte, téléphone.")] = "",
    address: Annotated[str, typer.Option(help="Adresse postale de l'entreprise.")] = "",
    email: Annotated[str, typer.Option(help="Adresse électronique de l'entreprise.")] = "",
    english: Annotated[bool, typer.Option("--english", help="La lettre en anglais.")] = False,
    pdf: Annotated[
        Path | None, typer.Option(help="Écrire la lettre dans ce fichier.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="L'annuaire et les demandes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Demander ses données à une entreprise : la lettre, le délai."""
    from portal.data_requests import ask, listing

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (_, opened):
        if show or not company:
            out.table(listing(opened), out.t("Demander mes données"))
            return
        made, letter = ask(
            opened,
            company,
            requester=name,
            reply_to=reply_to,
            known_as=known_as,
            address=address,
            email=email,
            language="en" if english else "fr",
        )
        if pdf is not None:
            from portal.plain_letter import render_plain_letter

            pdf.write_bytes(render_plain_letter(letter, at=made.written_at))
    out.result({"request": made.id, "company": made.company, "letter": letter.text}, letter.text)


@vault_app.command("asked")
def vault_asked(
    request: Annotated[str, typer.Argument(help="La demande (urn:uuid:…).")],
    step: Annotated[
        str,
        typer.Argument(help="sent, extended, answered, refused, complained, closed ou reopened."),
    ],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], help="Quel jour.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Dire ce qu'une demande est devenue ; la plainte en brouillon quand le délai est passé."""
    from portal.data_requests import told

    out = talk(as_json)
    if step not in STEPS:
        fail(USAGE, f"{step}: {', '.join(STEPS)}")
    with with_vault(state, vault, passphrase_file) as (_, opened):
        found = told(opened, request, step, on=_day(on))
    out.result(found)


@vault_app.command("list")
def vault_list(
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Lister les trajets."""
    from portal.views import TripWords

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (_, opened):
        first = since.date() if since else date(1990, 1, 1)
        last = until.date() if until else datetime.now(UTC).date()
        words = TripWords(out.t, opened.places())
        rows = [
            {
                "id": trip.id,
                "day": trip.local_date,
                "mode": trip.mode.value,
                "ends": words.ends(trip),
                "distance_m": int(trip.distance),
                "evidence": trip.evidence.value,
                "legs": len(trip.legs),
            }
            for trip in sorted(opened.trips(first, last), key=lambda x: x.started_at)
        ]
    out.table(rows, out.t("Mes trajets"))


@vault_app.command("show")
def vault_show(
    iri: Annotated[str, typer.Argument(help="Identifiant (urn:uuid:…).")],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Montrer un enregistrement en JSON-LD."""
    from schemas.ids import Iri
    from schemas.jsonld import to_jsonld

    with with_vault(state, vault, passphrase_file) as (_, opened):
        document = to_jsonld(opened.get(Iri(iri)))
    talk(as_json).result(document, json.dumps(document, ensure_ascii=False, indent=1))


@vault_app.command("query")
def vault_query(
    sparql: Annotated[str, typer.Argument(help="SELECT, ASK, CONSTRUCT ou DESCRIBE.")],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Interroger le coffre en SPARQL, en lecture seule."""
    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (_, opened):
        answer = opened.query(sparql)
    if answer.graph is not None:
        out.result({"form": answer.form, "graph": answer.graph}, answer.graph)
    elif answer.truth is not None:
        out.result({"form": answer.form, "truth": answer.truth})
    else:
        out.table([dict(zip(answer.variables, row, strict=True)) for row in answer.rows], "")


@vault_app.command("aids")
def vault_aids(
    answer: Annotated[
        list[str] | None,
        typer.Option(help="Garder une réponse : « question=réponse » ; « ? » pour la passer."),
    ] = None,
    forget: Annotated[list[str] | None, typer.Option(help="Oublier une réponse.")] = None,
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    as_json: AsJson = False,
) -> None:
    """Dire ce que le coffre peut obtenir, calculé ici ; rien ne part."""
    from portal.compose import entitled

    out = talk(as_json)
    pairs = dict(text.partition("=")[::2] for text in answer or ())
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        rows, question = entitled(parts, opened, out.t, answers=pairs, forget=forget or ())
    if as_json:
        out.result({"aids": rows, "question": question})
        return
    out.table(rows, out.t("Ce que je peux obtenir"))
    if question is not None:
        out.say(f'{question["label"]}  --answer "{question["variable"]}=…"')


@vault_app.command("share")
def vault_share(
    aid: Annotated[str, typer.Argument(help="Aide demandée (slug du catalogue).")],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    since: Since = None,
    until: Until = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accepter sans question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Demander une aide : montrer ce qui partirait, puis l'envoyer."""
    from portal.compose import apply

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        disclosure = apply(parts, opened, aid, since=_day(since), until=_day(until))
        for claim in disclosure.leaves:
            out.say(f"→ {claim.path} : {claim.value}")
        for kept in disclosure.stays:
            out.say(f"• {kept}")
        if not yes and not (
            sys.stdin.isatty() and typer.confirm(disclosure.recipient_name, err=True)
        ):
            fail(REFUSED, out.t("Rien n'a été envoyé."))
        consent = opened.share(disclosure.id, confirmed_at=datetime.now(UTC))
        view = parts.settle(opened, consent)
    out.result(view)


@vault_app.command("export")
def vault_export(
    out_file: Annotated[Path, typer.Argument(help="Archive à écrire (.tar.age).")],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    archive_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            help="Phrase secrète de l'archive ; sinon celle du coffre.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tout emporter dans une archive chiffrée."""
    phrase = secret(
        archive_passphrase_file or passphrase_file, prompt="Phrase secrète de l'archive"
    )
    with with_vault(state, vault, passphrase_file) as (_, opened):
        opened.export_file(out_file, passphrase=phrase)
    talk(as_json).result({"file": str(out_file), "bytes": out_file.stat().st_size})


@vault_app.command("restore")
def vault_restore(
    archive: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    state: State = None,
    passphrase_file: PassFile = None,
    new_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            help="Phrase secrète du nouveau coffre ; sinon celle de l'archive.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Refaire un coffre depuis une archive."""
    from portal.compose import home_only

    phrase = secret(passphrase_file, prompt="Phrase secrète de l'archive")
    new = (
        secret(new_passphrase_file, prompt="Nouvelle phrase secrète")
        if new_passphrase_file
        else phrase
    )
    with home_only(settings_for(state)) as home, archive.open("rb") as stream:
        report = home.restore(stream, phrase, new)
    talk(as_json).result(
        {
            "vault": report.vault_id,
            "recovery_code": report.recovery_code,
            "records": report.records,
            "observations": report.observations,
            "lowered": report.lowered,
        }
    )


@vault_app.command("rotate")
def vault_rotate(
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    compartment: Annotated[
        list[str] | None,
        typer.Option(
            help="Compartiment à renouveler (trips, invoices…) ; sinon tous.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Renouveler la clé principale et les clés du coffre, ou finir ce qui était commencé."""
    from schemas.records import Compartment
    from vault import rotation

    out = talk(as_json)
    try:
        chosen = [Compartment(name) for name in compartment or Compartment]
    except ValueError:
        fail(USAGE, out.t("Compartiments : {names}", names=", ".join(Compartment)))
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        slots, whole = parts.home.slots, not compartment and not rotation.running(opened)
        if whole and (bound := slots.bound(opened)):
            fail(
                REFUSED,
                out.t(
                    "Ouvrez d'abord une fois le coffre par : {names}.",
                    names=", ".join(view.kind for view in bound),
                ),
            )
        if not rotation.running(opened):
            rotation.begin(opened, chosen)
        records = sum(r.total for r in rotation.running(opened))
        while found := rotation.running(opened):
            stopped = next((r.stopped for r in found if r.stopped), None)
            if stopped is not None:
                fail(REFUSED, stopped)
            if not rotation.step(opened):  # the thread of this vault is at work
                time.sleep(0.1)
            done = sum(r.done for r in found)
            out.progress(
                out.t("{done} éléments chiffrés à nouveau, sur {total}", done=done, total=records)
            )
        out.progress(None)
        if whole:  # last: it closes the vault here
            slots.renew_root(opened)
    out.result({"vault": opened.vault_id, "records": records, "root": whole})


@home_app.command("backup")
def home_backup(
    folder: Annotated[Path, typer.Argument(help="Dossier à créer.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Sauvegarder l'hébergeur pendant qu'il sert, son hub avec lui ; les clés à part, à côté."""
    from portal.compose import beside_home, home_only
    from vault.backup import keys_of

    out, settings = talk(as_json), settings_for(state)
    beside = beside_home(settings)
    with home_only(settings) as home:
        try:
            lost = home.backup(folder, beside=beside)
        except FileExistsError as error:
            fail(USAGE, out.t("Ce dossier existe déjà : {path}", path=error.args[-1] or folder))
    say_lost(out, lost)
    out.say(out.t("Emportez les clés ailleurs : sans elles, aucun coffre ne se rouvre."))
    out.result(
        {
            "folder": str(folder),
            "keys": str(keys_of(folder)),
            "hub_keys": str(keys_of(folder, "hub-keys")) if beside.keys else None,
            "databases": ["home.db", *beside.before, *beside.after],
            "lost": [{"vault": one.vault_id, "file": one.blob_id} for one in lost],
        }
    )


def say_lost(out: Talk, lost: "Sequence[Lost]") -> None:
    """What a copy of a home does not have, because the home had lost it."""
    if lost:
        out.say(
            out.t(
                "{n} fichiers chiffrés étaient déjà perdus chez l'hébergeur ; tout le reste est"
                " là. Coffres concernés : {vaults}.",
                n=len(lost),
                vaults=", ".join(dict.fromkeys(one.vault_id for one in lost)),
            )
        )


@home_app.command("restore")
def home_restore(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    keys: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Dossier des clés, le plus récent.")
    ],
    hub_keys: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Dossier des clés du hub, s'il était sauvegardé avec.",
            show_default=False,
        ),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Remettre une sauvegarde en place, dans un dossier vide."""
    from vault.backup import lost_in, put_back

    out, settings = talk(as_json), settings_for(state)
    if settings.home_database_url is not None:
        fail(USAGE, out.t("Cet hébergeur est sur PostgreSQL : remettez-y sa propre sauvegarde."))
    bucket = None
    if settings.blobs_url is not None:
        from vault.buckets import BlobBucket

        bucket = BlobBucket(settings.blobs_url)
    more = {} if hub_keys is None else {"hub-keys": hub_keys}
    names = put_back(folder, keys=keys, folder=settings.state, more_keys=more, bucket=bucket)
    out.say(out.t("À l'ouverture, chaque coffre demandera si une sauvegarde a été remise."))
    lost = lost_in(folder)
    say_lost(out, lost)
    out.result(
        {
            "state": str(settings.state),
            "files": list(names),
            "lost": [{"vault": one.vault_id, "file": one.blob_id} for one in lost],
        }
    )


@vault_app.command("shred")
def vault_shred(
    vault: Annotated[str, typer.Option("--vault", help="Numéro du coffre à détruire.")],
    state: State = None,
    yes: Annotated[bool, typer.Option("--yes", help="Détruire sans question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Détruire un coffre pour toujours."""
    from portal.compose import home_parts
    from portal.destroying import destroy

    out = talk(as_json)
    if not yes and (not sys.stdin.isatty() or typer.prompt("Numéro du coffre", err=True) != vault):
        fail(USAGE, out.t("Rien n'a été détruit."))
    with home_parts(settings_for(state)) as parts:
        receipt, left = destroy(parts.home, parts.connectors, vault)
    for address in left:
        out.say(out.t("{address} n'a pas répondu : l'accès y reste à retirer.", address=address))
    out.result(
        {
            "vault": receipt.vault_id,
            "at": receipt.at,
            "backups_until": receipt.backups_until,
            "clients_left": list(left),
        }
    )


@vault_app.command("fsck")
def vault_fsck(
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    locked: Annotated[
        bool, typer.Option("--locked", help="Sans ouvrir le coffre : chaîne, fichiers, comptes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Vérifier le coffre sans rien réparer."""
    from portal.compose import home_only, only_vault

    out = talk(as_json)
    if locked:
        with home_only(settings_for(state)) as home:
            report = home.fsck(only_vault(home, vault or None), None)
    else:
        with with_vault(state, vault, passphrase_file) as (parts, opened):
            report = parts.home.fsck(opened.vault_id, opened)
    out.result(
        {
            "vault": report.vault_id,
            "clean": report.clean,
            "opened": report.opened,
            "checked": dict(report.checked),
            "findings": [
                {"code": f.code, "subject": f.subject, "detail": f.detail} for f in report.findings
            ],
        }
    )
    raise typer.Exit(DONE if report.clean else REFUSED)


@app.command()
def attest(
    out_file: Annotated[Path, typer.Argument(help="PDF à écrire.")],
    state: State = None,
    vault: VaultId = "",
    passphrase_file: PassFile = None,
    since: Since = None,
    until: Until = None,
    name: Annotated[str, typer.Option(help="Nom sur l'attestation.")] = "",
    employer: Annotated[str, typer.Option(help="Employeur sur l'attestation.")] = "",
    as_json: AsJson = False,
) -> None:
    """Écrire l'attestation de trajets (PDF/UA)."""
    from portal.compose import attest as make

    out = talk(as_json)
    with with_vault(state, vault, passphrase_file) as (parts, opened):
        proof, pdf = make(
            parts,
            opened,
            since=_day(since),
            until=_day(until),
            name=name,
            employer=employer,
            language=out.t.language,
        )
    out_file.write_bytes(pdf)
    subject = proof["credentialSubject"]
    out.result(
        {
            "file": str(out_file),
            "days": subject["days"],
            "period": [subject["periodFrom"], subject["periodUntil"]],
            "assurance_method": subject["assuranceMethod"],
        }
    )


def _day(value: datetime | None) -> date | None:
    return value.date() if value is not None else None


# --- sources ---------------------------------------------------------------------------------


@connect_app.command("list")
def connect_list(state: State = None, vault: VaultId = "", as_json: AsJson = False) -> None:
    """Lister les sources d'un coffre et leur état."""
    from portal.compose import home_parts, only_vault

    out = talk(as_json)
    with home_parts(settings_for(state)) as parts:
        accounts = parts.connectors.accounts(only_vault(parts.home, vault or None))
    out.table(
        [
            {
                "id": a.id,
                "source": a.source,
                "name": a.name,
                "account": a.account,
                "health": a.health,
                "last_run": a.last_run_at,
            }
            for a in accounts
        ],
        out.t("Mes sources"),
    )


@connect_app.command("run")
def connect_run(
    source: Annotated[
        str | None,
        typer.Argument(help="Identifiant de la source ; toutes par défaut.", show_default=False),
    ] = None,
    state: State = None,
    vault: VaultId = "",
    as_json: AsJson = False,
) -> None:
    """Interroger les sources ; ce qu'elles laissent attend dans la boîte de dépôt."""
    from portal.compose import home_parts, only_vault

    out = talk(as_json)
    with home_parts(settings_for(state)) as parts:
        vault_id = only_vault(parts.home, vault or None)
        wanted = (
            [source]
            if source
            else [a.id for a in parts.connectors.accounts(vault_id) if a.can_pull]
        )
        reports = {name: parts.connectors.pull(vault_id, name) for name in wanted}
    out.table(
        [
            {
                "source": name,
                "records": r.records,
                "known": r.known,
                "deposits": r.deposits,
                "health": r.health.value,
                "error": r.error,
            }
            for name, r in reports.items()
        ],
        out.t("Mes sources"),
    )
    if any(r.error for r in reports.values()):
        raise typer.Exit(
            LATER if all(r.retry_after_s for r in reports.values() if r.error) else REFUSED
        )


# --- the hub ---------------------------------------------------------------------------------


@hub_app.command("serve")
def hub_serve(
    state: State = None,
    host: Annotated[str | None, typer.Option(show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Lancer le hub seul."""
    serve([Node.HUB], state=state, host=host, as_json=as_json)


@hub_app.command("aids")
def hub_aids(state: State = None, as_json: AsJson = False) -> None:
    """Lister les aides publiées."""
    from portal.compose import hub_parts
    from portal.pages.checks import text_of

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        rows = [
            {
                "slug": aid.slug,
                "version": aid.version,
                "title": text_of(out.t, aid.titles),
                "funder": aid.funder_name,
                "check": aid.check_mode.value,
                "verified": aid.last_verified,
            }
            for aid in parts.hub.publishing.catalogue().aids
        ]
    out.table(rows, out.t("Les aides à la mobilité"))


@hub_app.command("import")
def hub_import(
    file: Annotated[
        Path, typer.Argument(help="Document JSON avec sa source et sa licence, ou tableau CSV.")
    ],
    index: Annotated[
        Path | None,
        typer.Option(help="Territoires d'un modèle vélo qui vient sans.", show_default=False),
    ] = None,
    source: Annotated[str, typer.Option(help="Source d'un tableau CSV.")] = "",
    licence: Annotated[str, typer.Option(help="Licence d'un tableau CSV.")] = "",
    dry_run: Annotated[bool, typer.Option(help="Dire ce qui changerait, ne rien garder.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Importer des aides d'une autre source : ajouts, changements, retraits, qualité."""
    from portal.compose import hub_parts, import_aids

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        report = import_aids(
            parts, file, dry_run=dry_run, index=index, source=source, licence=licence
        )
    out.result(report)


@hub_app.command("quality")
def hub_quality(state: State = None, as_json: AsJson = False) -> None:
    """Lister ce qu'il faut relire au catalogue : jamais vérifié, ancien, terminé, sans lien."""
    from portal.compose import hub_parts

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        rows = [
            {"slug": found.slug, "code": found.code, "detail": found.detail}
            for found in parts.hub.publishing.quality()
        ]
    out.table(rows, out.t("Qualité du catalogue"))


@hub_app.command("aid")
def hub_aid(
    slug: Annotated[str, typer.Argument(help="Nom court de l'aide.")],
    status: Annotated[
        AidStatus | None,
        typer.Option(help="La faire passer à cet état.", show_default=False),
    ] = None,
    note: Annotated[str, typer.Option(help="Pourquoi, en une phrase publique.")] = "",
    verified: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Relue ce jour-là par une personne, d'après sa source.",
            show_default=False,
        ),
    ] = None,
    review: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Prochaine relecture ; un an après, sinon.",
            show_default=False,
        ),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Montrer une aide et son historique ; noter une relecture, changer son état."""
    from portal.compose import hub_parts

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        publishing = parts.hub.publishing
        if verified is not None:
            day = verified.date()
            due = review.date() if review is not None else day + timedelta(days=365)
            publishing.verify(slug, on=day, next_review=due, actor="hub")
        if status is not None:
            publishing.move(slug, status, actor="hub", note=note)
        rows = [
            {
                "number": found.number,
                "at": found.at,
                "version": found.aid.version,
                "status": found.aid.status.value,
                "verified": found.aid.last_verified,
                "review": found.aid.next_review,
                "changed": ", ".join(found.changed),
                "note": found.note,
            }
            for found in publishing.revisions(slug)
        ]
    out.table(rows, slug)


@hub_app.command("members")
def hub_members(state: State = None, as_json: AsJson = False) -> None:
    """Lister le registre de confiance."""
    from portal.compose import hub_parts

    out = talk(as_json)
    with hub_parts(settings_for(state)) as parts:
        rows = [
            {
                "did": entry.did,
                "name": entry.name,
                "roles": sorted(role.value for role in entry.roles),
                "types": sorted(entry.credential_types),
                "evidence": entry.evidence.value if entry.evidence else None,
                "since": entry.since,
            }
            for entry in parts.hub.registry.entries()
        ]
    out.table(rows, out.t("Les membres"))


@hub_app.command("accredit")
def hub_accredit(
    did: Annotated[str, typer.Argument(help="did:web du membre ; son document est lu maintenant.")],
    name: Annotated[str, typer.Option(help="Nom du membre.")],
    role: Annotated[list[Role], typer.Option(help="Rôle (répétable).")],
    state: State = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="Document qu'il peut signer (répétable).", show_default=False),
    ] = None,
    evidence: Annotated[
        Evidence | None, typer.Option(help="Force de preuve de ses dépôts.", show_default=False)
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(help="Règle de non-cumul qu'il sert (répétable).", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Accréditer un membre au registre de confiance."""
    from portal.compose import Member, hub_parts

    member = Member(
        did=did,
        name=name,
        roles=frozenset(role),
        credential_types=frozenset(type_ or ()),
        evidence=evidence,
        families=frozenset(family or ()),
    )
    with hub_parts(settings_for(state)) as parts:
        snapshot = parts.accredit(member)
    talk(as_json).result({"did": did, "version": snapshot.version})


@hub_app.command("request")
def hub_request(
    request: Annotated[
        str, typer.Argument(help="Demande d'un émetteur : fichier, ou son adresse https.")
    ],
    accept: Annotated[
        bool, typer.Option("--accept", help="Accréditer ce qui est demandé.")
    ] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Lire une demande d'accréditation signée ; avec --accept, l'accorder."""
    from portal.compose import Member, accreditation_asked, hub_parts

    settings = settings_for(state)
    asked = accreditation_asked(request, settings)
    found: dict[str, Any] = {
        "did": asked.did, "name": asked.name, "contact": asked.contact, "roles": list(asked.roles),
        "types": list(asked.types), "evidence": asked.evidence, "families": list(asked.families),
    }  # fmt: skip
    if accept:
        member = Member(
            did=asked.did,
            name=asked.name,
            roles=frozenset(asked.roles),
            credential_types=frozenset(asked.types),
            evidence=asked.evidence,
            families=frozenset(asked.families),
        )
        with hub_parts(settings) as parts:
            found["version"] = parts.accredit(member).version
    talk(as_json).result(found)


@hub_app.command("migrate")
def hub_migrate(state: State = None, as_json: AsJson = False) -> None:
    """Mettre à jour la base du hub."""
    from portal.compose import migrate_hub

    talk(as_json).result(migrate_hub(settings_for(state)))


@hub_app.command("officer")
def hub_officer(
    funder: Annotated[str, typer.Argument(help="Financeur (nom court).")],
    login: Annotated[str, typer.Argument(help="Identifiant.")],
    state: State = None,
    name: Annotated[str, typer.Option(help="Nom affiché.")] = "",
    password_file: Annotated[Path | None, typer.Option(show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Créer un agent du guichet."""
    from portal.compose import hub_parts

    phrase = secret(
        password_file, prompt="Mot de passe", confirm=True, variable="MOBILITY_PASSWORD"
    )
    with hub_parts(settings_for(state)) as parts:
        parts.add_officer(funder, login, phrase, name=name or login)
    talk(as_json).result({"funder": funder, "login": login})


@hub_app.command("invite")
def hub_invite(
    state: State = None,
    siret: Annotated[str, typer.Option(help="Seul établissement à pouvoir s'en servir.")] = "",
    note: Annotated[str, typer.Option(help="Pour qui, pour s'y retrouver.")] = "",
    as_json: AsJson = False,
) -> None:
    """Inviter un financeur : un lien qui ouvre un guichet, sept jours, une fois."""
    from portal.compose import hub_parts

    with hub_parts(settings_for(state)) as parts:
        secret_ = parts.hub.enrolment.invite(siret=siret, note=note)
        link = f"{parts.hub.settings.origin}/guichet/ouvrir?invitation={secret_}"
    talk(as_json).result({"link": link}, link)


@desk_app.command("open")
def desk_open(
    file: Annotated[Path, typer.Argument(help="Document chiffré, téléchargé au guichet.")],
    code_file: Annotated[
        Path | None,
        typer.Option(
            "--code-file",
            help="Fichier dont la première ligne est le code de secours de la clé.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Dossier où le poser.")] = Path(),
    antivirus: Annotated[
        str | None,
        typer.Option(
            help="Antivirus de cette machine (clamd), demandé avant d'écrire : unix:/chemin ou tcp:127.0.0.1:3310 ; sinon MOBILITY_ANTIVIRUS.",
            show_default=False,
        ),
    ] = None,
    unscanned: Annotated[
        bool, typer.Option("--unscanned", help="Écrire sans demander à l'antivirus.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ouvrir un document reçu, avec le code de secours de la clé des documents."""
    from portal.funder_key import open_sealed, scanned

    address = None if unscanned else settings_for(None, antivirus=antivirus).antivirus
    code = secret(code_file, prompt="Code de secours", variable="MOBILITY_DESK_CODE")
    if file.stat().st_size > 20_000_000:
        fail(REFUSED, "file too large")
    found, ending = open_sealed(file.read_bytes(), code)
    scan = scanned(found.content, address)
    stem = "".join(c if c.isalnum() or c in " _-" else "_" for c in Path(found.name).stem)[:80]
    target = out / f"{stem.strip() or 'document'}.{ending}"
    try:
        with target.open("xb") as opened:  # never over another file
            target.chmod(0o600)
            opened.write(found.content)
    except FileExistsError:
        fail(REFUSED, f"exists already: {target}")
    speaker = talk(as_json)
    if not scan:
        speaker.say(
            speaker.t("Non analysé : aucun antivirus n'est indiqué. Ouvrez-le avec prudence.")
        )
    speaker.result(
        {
            "file": str(target),
            "application": found.application,
            "bytes": len(found.content),
            "scan": "clean" if scan else "none",
        },
        str(target),
    )


def main() -> None:
    """Entry point: our errors become one line and an exit code."""
    from federation.wire import logs

    logs.configure(
        level=os.environ.get("MOBILITY_LOG_LEVEL", "WARNING"), stream=sys.stderr, json=False
    )
    try:
        # Without standalone mode an Exit comes back as the number it carries.
        code = app(standalone_mode=False)
        if isinstance(code, int) and code:
            raise SystemExit(code)
    except MobilityError as error:
        code = LATER if isinstance(error, Retriable) else REFUSED
        where = getattr(error, "where", None) if isinstance(error, InvalidInput) else None
        sys.stderr.write(f"{error.code}: {error}{f' ({where})' if where else ''}\n")
        raise SystemExit(code) from None
    except typer.Abort:
        raise SystemExit(REFUSED) from None
    except Exception as error:
        show = getattr(error, "show", None)  # click's usage errors know how to speak
        if callable(show):
            show()
            raise SystemExit(getattr(error, "exit_code", USAGE)) from None
        raise


if __name__ == "__main__":
    main()
