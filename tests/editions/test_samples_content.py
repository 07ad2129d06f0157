"""The sample edition against the newsletter it was written from: names, numbers, dates, links, Chinese.

What is expected was transcribed from the newsletter; dates and lists of numbers are worded as in the sample.
"""

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.paths import ROOT

EDITION = ROOT / "editions" / "samples" / "unesco-beijing-2021-2"

EDUCATION = "education"
CULTURE = "culture"
NATURE = "natural-sciences"
SOCIETY = "social-and-human-sciences"
MEDIA = "communication-and-information"
NONE = ""

STORIES = {
    "010-esd-hiratsuka": ("story", EDUCATION, "JP"),
    "020-knowledge-sharing-china": ("list", EDUCATION, "CN"),
    "030-unevoc-krivet": ("story", EDUCATION, "KR"),
    "040-kfit-mongolia": ("story", EDUCATION, "MN"),
    "050-culture-conventions-ulaanbaatar": ("story", CULTURE, "MN"),
    "060-shared-living-heritage": ("story", CULTURE, "JP MN CN KR"),
    "070-world-heritage-songtao": ("story", CULTURE, "CN"),
    "080-culture-2030-shilin": ("story", CULTURE, "CN"),
    "090-cop15-kunming": ("story", NATURE, "CN"),
    "100-eabrn-webinars": ("story", NATURE, "CN JP KP KR MN"),
    "110-anso-exhibition": ("story", NATURE, "CN"),
    "120-nanjing-peace-forum": ("feature", SOCIETY, "CN"),
    "130-silk-roads-youth-forum": ("story", SOCIETY, "CN"),
    "140-ethics-teachers-mongolia": ("story", SOCIETY, "MN"),
    "150-inclusive-development-mongolia": ("story", SOCIETY, "MN"),
    "160-mil-resources-china": ("story", MEDIA, "CN"),
    "170-herstory-mongolia": ("story", MEDIA, "MN"),
    "180-disability-handbook": ("story", MEDIA, "CN"),
    "190-mil-forum-mongolia": ("story", MEDIA, "MN"),
    "200-team-retreat": ("notice", NONE, ""),
    "210-crihap": ("centre", CULTURE, "CN"),
    "220-chair-media-gender": ("chair", MEDIA, "CN"),
    "230-un-day": ("campaign", NONE, "CN"),
    "240-end-violence-against-women": ("campaign", NONE, "CN"),
    "250-world-aids-day": ("campaign", NONE, "CN"),
    "260-persons-with-disabilities": ("campaign", NONE, "CN"),
}
"""File name without ending: kind, sector, countries in their order."""

FACTS = {
    "010-esd-hiratsuka": (
        "10 and 11 August 2021",
        "Hiratsuka, Japan",
        "50 participants",
        "ESDfor2030 Roadmap",
        "Asia-Pacific Cultural Centre for UNESCO (ACCU)",
        "Education for Sustainable Development (ESD)",
        "Philippines, India, Mongolia, Lao PDR and China",
        "COVID-19",
        "© ACCU",
    ),
    "020-knowledge-sharing-china": (
        "20th China International Conference on Distance Education",
        "International Webinar on Rural Education in East Asia",
        "2021 Belt and Road International Conference on TVET",
        "For the Future: International Symposium on Vocational Education Development",
        "International Symposium on Knowledge Exchange and Knowledge Entrepreneurship",
        "Entrepreneurship in the Era of New Globalization",
        "China-Germany-Mongolia Automotive Technology Application Training Seminar",
        "several universities across China",
        "A5 University Dialogue on Global Cooperation against Poverty",
        "Member States",
    ),
    "030-unevoc-krivet": (
        "Korea Research Institute for Vocational Education and Training (KRIVET)",
        "September and in October 2021",
        "technical and vocational education and training (TVET)",
        "UNEVOC network",
        "East and South-East Asia",
        "SDGs",
        "COVID-19",
        "2021 East and Southeast Asia UNEVOC Network Consolidation Workshop",
        "© KRIVET",
    ),
    "040-kfit-mongolia": (
        "Korea Funds-in-Trust (KFIT)",
        "education vision 2050",
        "Education Sector Medium Term Development Plan (2021-2030)",
        "in 2019",
        "Ministry of Education and Science",
        "National Accreditation Council",
        "next two years",
        "Tokyo Convention",
        "2019 UNESCO Global Convention on Recognition of Qualifications in Higher Education",
        "Buyakaa Buyanbileg",
    ),
    "050-culture-conventions-ulaanbaatar": (
        "1970 Convention",
        "2001 Convention",
        "1954 Hague Convention",
        "22–23 September",
        "China, Guam, Italy, Japan, Mongolia and Spain",
        "more than 120 participants",
        "over 40 organisations",
        "21 provinces",
        "19–21 October",
        "Batbayar Munkhuu, Vice Minister of Culture",
        "Mongolian National Commission for UNESCO",
        "#Unite4Heritage",
        "22 October",
        "Ulaanbaatar",
    ),
    "060-shared-living-heritage": (
        "Mongolian National Commission for UNESCO",
        "International Information and Networking Centre for Intangible Cultural Heritage",
        "Intangible Cultural Heritage in the Asia-Pacific Region (ICHCAP)",
        "“Exploring and Safeguarding Shared Intangible Cultural Heritage (ICH) in East Asia”",
        "10 September 2021",
        "Japan, Mongolia, the People’s Republic of China and the Republic of Korea",
        "Prof. Shahbaz Khan",
        "“encourages multinational nominations of shared intangible cultural heritage”",
    ),
    "070-world-heritage-songtao": (
        "China Youth Development Foundation Mercedes-Benz Star Fund",
        "15 years",
        "Phase IV",
        "“Conservation and Management of World Heritage Sites in China”",
        "2021 to 2024",
        "15 October 2021",
        "Songtao, in Guizhou Province",
        "National Cultural Heritage Administration",
        "National Forestry and Grassland Administration",
        "14th Five-Year Plan",
        "United Nations Sustainable Development Cooperation Framework (UNSDCF) for China (2021-2025)",
        "six-volume China World Heritage Capacity Building Manuals",
        "Gu Lan, Senior Director of China Youth Development Foundation",
        "© Songtao Fusion Media Centre",
    ),
    "080-culture-2030-shilin": (
        "Phase IV",
        "Culture|2030 Indicators",
        "Shilin in Yunnan Province",
        "South China Karst World Heritage site",
        "10 November 2021",
        "global expert facility",
        "Thematic Indicators for Culture in the 2030 Agenda",
        "in 2020",
    ),
    "090-cop15-kunming": (
        "Ministry of Ecology and Environment",
        "10 to 14 October 2021",
        "29 December 1993",
        "2918 delegates",
        "2478",
        "post-2020 global biodiversity framework",
        "spring 2022",
        "CGTN and People’s Daily",
        "Xinhua News Agency",
        "CCTV",
        "© CGTN",
    ),
    "100-eabrn-webinars": (
        "22 September and 27 October 2021",
        "East Asia Biosphere Reserves Network (EABRN)",
        "Secretariat",
        "monitoring biosphere reserves",
        "ecotourism",
        "post-2020 Global Biodiversity Framework",
        "Kunming Declaration",
        "Education for Sustainable Development in biosphere reserves",
    ),
    "110-anso-exhibition": (
        "Beauty of Life on Earth Exhibition",
        "“It’s about life”",
        "50th anniversary of the UNESCO MAB Programme",
        "16 panels",
        "Austria, China, Germany, Indonesia, Maldives, Morocco,",
        "Spain, the United Republic of Tanzania and Uruguay",
        "Kunming Institute of Botany of the Chinese Academy of Sciences",
        "11 October 2021",
        "14 October",
        "Kunming Botanical Garden",
        "© Alliance of International Science Organizations (ANSO)",
    ),
    "120-nanjing-peace-forum": (
        "Chinese National Commission for UNESCO",
        "Information Office of Jiangsu Provincial Government",
        "Nanjing Municipal Government",
        "24 to 26 October 2021",
        "“Living in Harmony with Nature for Peace”",
        "25 and 26 October",
        "Defenses of Peace Constructed in the Minds",
        "“Dialogue with Generation Z”",
        "2021 Nanjing Peace Consensus",
        "peace, development, fairness, justice, democracy and freedom",
        "Shared Future for All Life on Earth",
        "© Information Office of Nanjing Municipal Government",
    ),
    "130-silk-roads-youth-forum": (
        "International Youth Forum on Creativity and Heritage along the Silk Roads",
        "Special Dialogue on Youth Leadership in Creativity, Heritage, and Resilience",
        "2021 IYFSD",
        "National Commission of China for UNESCO",
        "Changsha and Nanjing Municipal Governments",
        "Beijing, Changsha and Nanjing",
        "17 December 2021",
        "More than 80",
        "46 countries",
        "Sudan, Turkey and Latin America",
    ),
    "140-ethics-teachers-mongolia": (
        "Mongolian National Commission for UNESCO",
        "Mongolian Academy of Sciences",
        "Ethics Teacher Training Course (ETTC)",
        "12 to 15 October 2021",
        "Ulaanbaatar",
        "37 participants",
        "“Ethics education provides the foundation for widespread reflection on ethical issues",
        "climate change",
        "COVID-19",
    ),
    "150-inclusive-development-mongolia": (
        "Commission of Health, Education and Social Protection for Children with Disabilities of Mongolia",
        "revised Charter",
        "approval",
        "Mongolian Government",
        "gender-based violence",
        "social care and service",
        "young Mongolians",
        "COVID-19",
    ),
    "160-mil-resources-china": (
        "Global Media and Information Literacy Week 2021",
        "“Media and Information Literacy for the Public Good”",
        "(MIL) resources",
        "children, parents and teachers",
        "do’s and don’ts",
        "gender-sensitive",
        "culturally responsive",
        "COVID-19",
        "cover post",
    ),
    "170-herstory-mongolia": (
        "Mongolian Culture and Art Research Institute",
        "“HERstories”",
        "Women in History – Telling HERstory through Memory of the World (MoW)",
        "UNESCO Bangkok Office",
        "Oyun Erdenebat",
        "Pagmadulam Damdin",
        "Tsedenbal Filatova",
        "Badam Engel",
        "Udval Sonom",
        "international register",
    ),
    "180-disability-handbook": (
        "2021 International Day of Persons with Disabilities",
        "3 December",
        "Handbook on Media Reporting for Promoting Disability Equality in China",
        "United Nations Partnership on the Rights of Persons with Disabilities",
        "journalism educators",
        "two additional chapters",
        "COVID-19",
        "Chinese version",
    ),
    "190-mil-forum-mongolia": (
        "Third National Stakeholder Forum on Media and Information Literacy (MIL)",
        "25 November 2021",
        "“Digital Literacy and Inclusion as a Booster for Infodemic Immunity”",
        "Around 60",
        "Digital Nation",
        "hate speech",
        "“Media and Information Literate Citizens: Think Critically, Click Wisely”",
        "second edition",
        "Model MIL Curriculum",
        "Prof. Shahbaz Khan",
    ),
    "200-team-retreat": (
        "All Staff Retreat",
        "“Reconnect, Rediscover, Rejuvenate”",
        "August",
        "25 November and 1 December",
        "it is crucial that we work more than ever as one team",
        "Han Qunli, former UNESCO Director of the Division of Ecological and Earth Sciences",
        "nice to meet you",
        "meaningful work",
        "win as much as possible",
        "“land”",
        "7 sectors",
    ),
    "210-crihap": (
        "International Training Centre for the Intangible Cultural Heritage",
        "Intangible Cultural Heritage in the Asia-Pacific Region (CRIHAP)",
        "25 category 2 centres",
        "education 5, culture 6, natural sciences 11",
        "social and human sciences 2, communication and information 1",
        "5 July 2021",
        "Three-Year Training Programme",
        "130 students",
        "18–28",
        "50 of China’s colleges and universities",
        "two months",
        "72 videos",
        "26 to 29 July",
        "Jakarta, Bangkok, Phnom Penh and Hanoi",
        "under the auspices of UNESCO",
    ),
    "220-chair-media-gender": (
        "launched in 1992",
        "over 850 institutions",
        "117 countries",
        "Around 40",
        "China has 21, Japan 10, the Republic of Korea 5, Mongolia 2",
        "September 2005",
        "Communication University of China (CUC)",
        "International Network of UNESCO Chairs in Communication (ORBICOM)",
        "Liu Liqun",
        "China Women’s University (CWU)",
        "2014",
        "4 Blue Books",
        "Gender-Sensitive Indicators for Media",
        "Model Curricula for Journalism Education",
        "IPDC",
        "70 developing countries",
        "9th Forum",
        "28 December 2021",
        "© UNESCO Chair on Media and Gender",
    ),
    "230-un-day": (
        "24 October",
        "2021 UN Day",
        "#ActNow",
        "net-zero",
        "carbon footprint",
        "vegetables",
        "reusable bags",
        "air conditioner",
        "Shahbaz Khan",
    ),
    "240-end-violence-against-women": (
        "25 November",
        "International Day for the Elimination of Violence against Women",
        "“Orange the world: End violence against women now”",
        "16 Days of Activism against Gender-Based Violence",
        "climate change",
        "media and the Internet",
        "disability inclusion",
        "women journalists",
        "access to information",
    ),
    "250-world-aids-day": (
        "1 December",
        "34th World AIDS Day",
        "AIDS and other pandemics",
        "UNAIDS China Office",
        "Unprotected casual sex",
        "comprehensive sexuality education (CSE)",
        "1,552 CSE lessons",
        "over 20,000 students",
        "western provinces",
        "© UNAIDS",
    ),
    "260-persons-with-disabilities": (
        "3 December",
        "UN Theme Group on Disability in China",
        "#Make Persons with Disabilities Visible (看见残障人)#",
        "#看见残障人#",
        "10 December",
        "over 5.11 million views",
        "Sina Weibo",
        "HE Yajun",
        "CAI Cong",
        "10-kilometre",
        "“High Altitude Group Photo on Wheelchair”",
        "YANG Miao",
        "Huangshan Mountain",
        "1,600 metres",
        "“The Silent Blossoming of Flowers”",
        "Heze, Shandong",
    ),
    "edition": (
        "September to December 2021",
        "Information and Communication Technology (ICT) in Education Policy Review",
        "ICT in Education Master Plan",
        "five countries",
        "second year",
        "“Living in Harmony with Nature for Peace”",
        "“Eco-civilization”",
        "East Asia Biosphere Reserves Network (EABRN)",
        "post-2020 Global Biodiversity Framework",
        "Kunming Declaration",
        "COP15",
        "UNCT",
        "CRIHAP",
        "UNESCO Chair on Media and Gender",
        "December",
        "August",
        "March",
        "UNESCO_China",
        "@联合国教科文组织",
        "www.unesco.org/beijing",
    ),
}
"""What each story, and the letter (``edition``), has to say word for word, in text or front matter."""

LINKS = {
    "010-esd-hiratsuka": (
        "https://en.unesco.org/themes/education-sustainable-development/toolbox",
        "https://en.unesco.org/news/regional-exchange-programme-promoting-community-based-esd-initiative-hiratsuka-japanonline",
    ),
    "030-unevoc-krivet": (
        "https://unevoc.unesco.org/start.php?p=une&q=",
        "https://en.unesco.org/news/2021-east-and-southeast-asia-unevoc-network-consolidation-workshop-technical-and-vocational",
    ),
    "040-kfit-mongolia": (
        "http://portal.unesco.org/en/ev.php-URL_ID=48975&URL_DO=DO_TOPIC&URL_SECTION=201.html",
        "https://en.unesco.org/themes/higher-education/recognition-qualifications/global-convention",
        "https://en.unesco.org/news/unesco-capacity-building-higher-education-sector-mongolia-korea-funds-trust-kfit-project",
    ),
    "050-culture-conventions-ulaanbaatar": (
        "https://en.unesco.org/fighttrafficking/1970",
        "http://www.unesco.org/new/en/culture/themes/underwater-cultural-heritage/2001-convention/",
        "http://www.unesco.org/new/en/culture/themes/armed-conflict-and-heritage/convention-and-protocols/1954-hague-convention/",
        "https://www.unite4heritage.org",
    ),
    "070-world-heritage-songtao": (
        "https://unesdoc.unesco.org/permalink/P-e6be868a-d9d6-410f-a844-8aa794d679d2",
        "https://whc.unesco.org/en/news/2352",
    ),
    "080-culture-2030-shilin": ("https://whc.unesco.org/en/culture2030indicators",),
    "090-cop15-kunming": ("https://www.cbd.int/convention/",),
    "100-eabrn-webinars": ("https://www.unescoeabrn.org/",),
    "110-anso-exhibition": ("http://www.anso.org.cn/",),
    "120-nanjing-peace-forum": (
        "https://en.unesco.org/events/road-2021-nanjing-peace-forum",
        "https://en.unesco.org/news/2021-nanjing-peace-forum-successfully-held-nanjing-china-24-26-october-2021",
    ),
    "140-ethics-teachers-mongolia": (
        "https://en.unesco.org/themes/ethics-science-and-technology/ethics-education",
    ),
    "160-mil-resources-china": (
        "https://mp.weixin.qq.com/s/HxVbQkx2VlWFkR-LS1ry9Q",
        "https://en.unesco.org/fieldoffice/beijing/publications",
    ),
    "170-herstory-mongolia": ("http://mowherstory.org/about",),
    "180-disability-handbook": (
        "https://zh.unesco.org/sites/default/files/mei_ti_bao_dao_cu_jin_zhong_guo_can_zhang_ping_deng_zhi_nan_1.pdf",
        "https://en.unesco.org/news/unesco-launches-updated-handbook-media-reporting-promoting-disability-equality-china",
    ),
    "190-mil-forum-mongolia": (
        "https://en.unesco.org/news/third-national-stakeholder-forum-media-and-information-literacy-held-mongolia",
        "https://unesdoc.unesco.org/ark:/48223/pf0000377068?1=null&queryId=c78e2dff-4de4-4e79-b198-086babbdf15e",
    ),
    "210-crihap": (
        "https://en.unesco.org/international-networks/category-2-institutes",
        "http://www.crihap.cn/",
    ),
    "220-chair-media-gender": ("https://en.unesco.org/unitwin-unesco-chairs-programme",),
    "230-un-day": ("https://m.weibo.cn/1973319807/4693922183382363",),
    "240-end-violence-against-women": ("https://mp.weixin.qq.com/s/3meKmbgoF8dLx2OjRjAfIA",),
    "250-world-aids-day": ("https://mp.weixin.qq.com/s/99YsoHVtCgijZm4Yr05Quw",),
    "260-persons-with-disabilities": (
        "https://en.unesco.org/news/make-persons-disabilities-visible-promote-rights-persons-disabilities",
    ),
    "edition": ("https://www.unesco.org/beijing",),
}
"""Every link of the newsletter, in the story it belongs to."""


def read_parts(name: str) -> tuple[dict[str, Any], str]:
    """The front matter, every scalar a string, and the Markdown below it."""
    path = EDITION / "edition.md" if name == "edition" else EDITION / "stories" / f"{name}.md"
    opening, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    assert opening == ""
    return YAML(typ="base").load(front), body


def read_plain(markdown: str) -> str:
    """Markdown without its marks and link targets, on one line."""
    return " ".join(re.sub(r"\[([^]]*)\]\([^)\s]*\)", r"\1", markdown).replace("*", "").split())


def list_strings(value: Any) -> list[str]:
    """Every string inside a value of the front matter."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in list_strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in list_strings(item)]
    return [str(value)]


def list_links(name: str) -> list[str]:
    """The targets of a file's links, in the body and in the front matter."""
    front, body = read_parts(name)
    inline = re.findall(r"\]\(([^)\s]*)\)", body)
    return inline + [text for text in list_strings(front) if re.match(r"https?://", text)]


def count_words(markdown: str) -> int:
    return sum(1 for word in read_plain(markdown).split() if re.search(r"\w", word))


def pictures() -> list[tuple[str, dict[str, str]]]:
    """Every picture of the edition with the slug of what it belongs to."""
    portrait = [("shahbaz-khan", read_parts("edition")[0]["letter"]["portrait"])]
    return portrait + [(name.split("-", 1)[1], read_parts(name)[0]["image"]) for name in STORIES]


def test_the_26_stories_stand_in_the_order_of_the_newsletter() -> None:
    assert [path.stem for path in sorted((EDITION / "stories").glob("*.md"))] == list(STORIES)
    assert len(STORIES) == 26


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_its_kind_its_sector_and_its_countries(name: str) -> None:
    front, _ = read_parts(name)
    assert (front["kind"], front.get("sector", NONE), " ".join(front["countries"])) == STORIES[name]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_60_to_140_words(name: str) -> None:
    assert 60 <= count_words(read_parts(name)[1]) <= 140


@pytest.mark.parametrize("name", FACTS)
def test_no_fact_of_the_newsletter_is_lost(name: str) -> None:
    front, body = read_parts(name)
    said = "\n".join([read_plain(body), *list_strings(front)])
    assert [fact for fact in FACTS[name] if fact not in said] == []


@pytest.mark.parametrize("name", ["edition", *STORIES])
def test_every_link_is_in_its_story_and_none_is_invented(name: str) -> None:
    assert sorted(list_links(name)) == sorted(LINKS.get(name, ()))


def test_the_letter_is_signed_with_both_lines_of_the_title() -> None:
    front, body = read_parts("edition")
    assert front["letter"]["name"] == "Shahbaz Khan"
    assert " ".join(front["letter"]["titles"]) == (
        "Director and UNESCO Representative to the People’s Republic of China, "
        "the Democratic People’s Republic of Korea, Japan, Mongolia and the Republic of Korea"
    )
    assert 180 <= count_words(body) <= 260


def test_subject_and_preheader_fit_an_inbox() -> None:
    front, _ = read_parts("edition")
    assert (front["number"], front["date"], front["language"]) == ("2021-2", "2021-12-31", "en")
    assert 1 <= len(front["subject"]) <= 70
    assert 40 <= len(front["preheader"]) <= 130
    assert front["subject"] != front["preheader"]


def test_campaigns_carry_their_day() -> None:
    days = [front["date"] for front, _ in map(read_parts, STORIES) if front["kind"] == "campaign"]
    assert days == ["24 October", "25 November", "1 December", "3 December"]


def test_no_two_links_below_stories_promise_the_same() -> None:
    promises = [item["what"] for front, _ in map(read_parts, STORIES) for item in front.get("read_more", [])]
    assert len(promises) == len(set(promises))


def test_pictures_are_named_after_their_story_and_own_up_to_being_drawings() -> None:
    for slug, picture in pictures():
        assert (picture["file"], picture["credit"]) == (f"{slug}.jpg", "Illustration")


def test_pictures_are_described_each_in_its_own_words() -> None:
    alternatives = [picture["alt"] for _, picture in pictures()]
    assert len(alternatives) == len(set(alternatives))
    for _, picture in pictures():
        assert 1 <= len(picture["alt"]) <= 125
        assert "image of" not in picture["alt"].lower()
        assert picture["alt"] != picture.get("caption")
        assert len(picture.get("caption", "")) <= 180


@pytest.mark.parametrize("path", sorted(EDITION.rglob("*.md")), ids=lambda path: path.stem)
def test_a_file_is_composed_utf_8_and_ends_with_one_newline(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    assert text == unicodedata.normalize("NFC", text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\r" not in text
    assert "\t" not in text
