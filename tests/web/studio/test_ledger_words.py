from mailer.database.models import CampaignState, DeliveryState
from mailer.web.studio.status_words import CAMPAIGN_WORDS, DELIVERY_WORDS


def test_every_state_of_a_campaign_and_of_a_message_has_words() -> None:
    assert set(CAMPAIGN_WORDS) == set(CampaignState)
    assert set(DELIVERY_WORDS) == set(DeliveryState)
