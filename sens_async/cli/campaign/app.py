"""The campaign commands, put together."""

import typer

from sens_async.cli.campaign import cancel, look, plan, purge, report, verbs

__all__ = ["campaign"]

campaign = typer.Typer(
    help="Send to a list and survive anything: kill it, run it again. 재개 가능한 대량 발송.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=(
        "A campaign is planned once and run until everybody has a final outcome; it is kept in a "
        "ledger, --ledger or SENS_LEDGER, which only its owner can read."
    ),
)

_TO_SEND, _TO_LOOK = "Send", "Look up"

campaign.command("plan", rich_help_panel=_TO_SEND)(plan.plan)
campaign.command("run", rich_help_panel=_TO_SEND)(verbs.run)
campaign.command("reconcile", rich_help_panel=_TO_SEND)(verbs.reconcile)
campaign.command("cancel", rich_help_panel=_TO_SEND)(cancel.cancel)
campaign.command("status", rich_help_panel=_TO_LOOK)(look.status)
campaign.command("track", rich_help_panel=_TO_LOOK)(verbs.track)
campaign.command("report", rich_help_panel=_TO_LOOK)(report.report)
campaign.command("list", rich_help_panel=_TO_LOOK)(look.list_)
campaign.command("purge", rich_help_panel=_TO_LOOK)(purge.purge)
